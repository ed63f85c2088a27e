"""What each notebook measures (`NAME_runs.py`) and what it draws (its other files, which begin with its name)."""
