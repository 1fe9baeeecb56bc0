"""What a sweep has left to run, and in which folders."""
