"""What a class handed in."""
