"""Evaluation of a trained model on texts, word by word, with or without a neural cache.

`evaluate` runs an evaluation, `scoring` predicts the words of a text, `neural_cache` mixes in a
cache. Nothing is imported here, so that `cache_grid` does not load JAX.
"""
