"""Recorded reference runs, and what follows from them."""
