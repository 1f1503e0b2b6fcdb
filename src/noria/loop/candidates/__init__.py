"""How a turn comes to a candidate and to the labels that judge it."""
