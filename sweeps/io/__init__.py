"""Files, locks, URLs and the terminal."""
