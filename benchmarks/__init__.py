"""Benchmarks: each file here is a command, `python -m benchmarks.NAME`; RESULTS.md has results."""
