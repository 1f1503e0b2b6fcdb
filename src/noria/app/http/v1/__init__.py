"""The JSON API under /v1, a router by topic."""
