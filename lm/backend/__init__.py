"""What the machine is, and how programs are compiled and computed on it."""
