"""The criteria, a file for each component or two."""
