"""One trial from the objective's side."""
