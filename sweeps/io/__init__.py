"""Files, retries, locks, URLs, leases, HTML pages, the terminal and the processor."""
