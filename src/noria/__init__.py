"""Noria: a quality loop for virtual service agents."""

__version__ = "0.1.0"
