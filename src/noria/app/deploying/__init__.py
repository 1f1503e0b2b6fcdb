"""Noria as a set of processes on this machine, and as a service elsewhere."""
