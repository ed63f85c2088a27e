"""Handing in: the facts of the homework, and what a submission may hold (given)."""
