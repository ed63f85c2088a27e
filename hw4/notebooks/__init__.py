"""What the notebooks measure (`NAME_runs.py`) and draw (`NAME_figures.py`): one pair of files for each notebook."""
