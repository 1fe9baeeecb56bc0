"""Trains a trial again and compares what it reports."""
