"""`noria experiments`: run many, look at them, repeat one."""
