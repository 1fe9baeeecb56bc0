"""What the commands of `lm` share."""
