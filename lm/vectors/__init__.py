"""Word vectors: nearest words, analogies, benchmarks, baselines, a map, and files for other tools.

Nothing is imported here, so that `benchmarks` and `arguments` do not load JAX.
"""
