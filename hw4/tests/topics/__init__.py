"""Public tests of the topics, one file each (given)."""
