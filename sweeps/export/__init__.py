"""Sweeps in the stores of other tools, written after the fact from the trials' folders."""

from sweeps.export.export import KINDS, export_sweep

__all__ = ["KINDS", "export_sweep"]
