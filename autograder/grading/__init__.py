"""Grading one submission: workers, hidden tests, learning curves, the verdict."""
