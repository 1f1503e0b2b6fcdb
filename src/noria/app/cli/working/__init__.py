"""Commands of the loop's worker."""
