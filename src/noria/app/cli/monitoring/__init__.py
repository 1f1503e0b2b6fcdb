"""Commands of PHASE 4 that need no home."""
