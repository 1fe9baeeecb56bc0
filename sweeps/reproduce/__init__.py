"""Reproduction: a trial is trained again, and its metrics are compared."""
