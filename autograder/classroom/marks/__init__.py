"""The grades of a class, and everything that is done with them."""
