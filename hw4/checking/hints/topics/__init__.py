"""Hints for the topics, one file each (given; standard library only)."""
