"""Machinery that the benchmarks share: workers, interleaved rounds, configurations, tables."""
