"""Public tests: one module per file that you write, and one for whole experiments."""
