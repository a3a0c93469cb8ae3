"""The state of problem sets: one check a file."""
