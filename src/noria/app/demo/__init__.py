"""Demo data of our own making: an IT help desk with three accounts."""
