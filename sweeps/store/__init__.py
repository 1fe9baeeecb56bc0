"""What a trial and a sweep leave on disk."""
