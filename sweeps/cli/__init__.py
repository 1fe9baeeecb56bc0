"""Commands for the results of sweeps, and the exit status of commands."""
