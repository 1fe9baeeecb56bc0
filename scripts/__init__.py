"""Commands of those who develop the project; `sherlock_study` is a package of its own."""
