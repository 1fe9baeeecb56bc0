"""Comparison of trials: ranking, replicates, importance, tables and data frames."""
