"""Commands on who may do what: accounts, keys, erasure."""
