"""What a person runs around the program."""
