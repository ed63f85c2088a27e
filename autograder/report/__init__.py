"""What a grade looks like: Gradescope's results.json, a self-contained page, and a receipt."""
