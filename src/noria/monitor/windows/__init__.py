"""Measures on windows from an hour to four weeks: kept hour by hour, added up to longer ones, read as any span."""
