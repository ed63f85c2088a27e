"""The commands of `python -m hw4`, and what runs and notebooks leave and draw (given)."""
