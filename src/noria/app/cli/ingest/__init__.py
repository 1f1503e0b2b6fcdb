"""`noria ingest`: feeds of raw rows into clean, versioned tables."""
