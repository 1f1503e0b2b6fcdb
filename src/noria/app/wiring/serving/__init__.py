"""What the HTTP server and its pages work with."""
