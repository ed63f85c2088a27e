"""The grader as a Gradescope autograder. See README.md."""
