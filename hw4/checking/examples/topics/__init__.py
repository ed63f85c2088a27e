"""Worked examples of the topics, one file each (given; NumPy only)."""
