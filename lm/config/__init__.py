"""The configuration of a run: its schema, its checks, and what follows from it before JAX loads."""
