"""The Sherlock Holmes study, repeated: what is run, what the study had, tables and pictures."""
