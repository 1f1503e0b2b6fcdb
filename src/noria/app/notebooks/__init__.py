"""A home's lake and journal in a notebook: what to ask them, and the same analysis for marimo, Jupyter and Zeppelin."""

from noria.app.notebooks.data import Data, Rows, open_data

__all__ = ["Data", "Rows", "open_data"]
