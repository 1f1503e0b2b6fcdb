"""Which predictions people are asked about, and with which chance."""
