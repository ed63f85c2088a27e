"""The private autograder: grades any submission of Homework 4. Nothing here is ever given to students."""
