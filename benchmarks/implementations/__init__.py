"""Implementations that are measured: `lm` itself, PyTorch, Flax, n-grams."""
