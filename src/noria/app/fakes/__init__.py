"""Stand-ins for outside systems, to try Noria and test it without an account there. They are not those systems."""
