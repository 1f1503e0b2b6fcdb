"""A feed from its source to published tables, run after run."""
