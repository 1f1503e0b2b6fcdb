"""Rules that clean rows: text rules row by row, duplicates and conflicts over all rows."""
