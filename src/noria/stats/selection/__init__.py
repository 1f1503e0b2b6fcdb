"""Choosing by what was measured: operating points with guarantees, Pareto fronts, the winner's curse, sensitivity."""
