"""Comparison of trials: ranking, replicates, importance, tables."""
