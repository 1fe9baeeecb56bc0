"""Files, locks, URLs, HTML pages, the terminal and the processor."""
