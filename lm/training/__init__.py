"""Training: the state, a step, many steps, the loop, checkpoints, and what was trained."""
