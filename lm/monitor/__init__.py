"""Monitoring: statistics, histograms, vectors and the graph of a model while it trains."""
