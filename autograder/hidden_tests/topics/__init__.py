"""Hidden tests of optional problems."""
