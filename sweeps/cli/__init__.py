"""Commands over sweeps."""
