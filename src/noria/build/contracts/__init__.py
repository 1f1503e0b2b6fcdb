"""What a table promises before a version of it becomes visible."""
