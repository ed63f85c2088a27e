"""The hidden suite. Runs in the trusted process; the student's code answers from a worker."""
