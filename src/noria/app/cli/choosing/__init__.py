"""Commands that set operating points and choose among runs."""
