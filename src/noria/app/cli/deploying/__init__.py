"""`noria deploy`."""
