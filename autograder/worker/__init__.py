"""What runs inside a worker process. Loaded by path there, so these files import nothing else of the autograder."""
