"""Options of a sweep, the application's hooks, and the composition of trials."""
