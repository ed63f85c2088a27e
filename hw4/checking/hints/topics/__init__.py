"""Hints for topics (given; standard library only)."""
