"""`noria lake`: care of the versioned tables."""
