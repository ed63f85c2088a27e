"""Topics: optional problems, one file each. Pick one if you like; a topic that is left out costs nothing."""
