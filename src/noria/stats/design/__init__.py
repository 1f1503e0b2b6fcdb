"""The design of label draws: who is asked about with which chance, and the guesses that make few labels go far.

Example:
    >>> from noria.stats.design import chances, coins, uncertainty
    >>> pi = chances(uncertainty([0.98, 0.9, 0.5, 0.99]), expected=2.0)
    >>> drawn = coins(["a", "b", "c", "d"], seed=7) < pi
    >>> pi.round(3).tolist(), drawn.tolist()
    ([0.315, 0.562, 0.87, 0.253], [False, True, True, False])
"""

from noria.stats.design.chances import chances, floor_of, uncertainty
from noria.stats.design.coins import coins, folds, read_floor, write_design
from noria.stats.design.explore import company, spread_out
from noria.stats.design.proxy import Proxy, cross_fit, fit_proxy
from noria.stats.design.signals import features, thumbs

__all__ = [
    "Proxy",
    "chances",
    "coins",
    "company",
    "cross_fit",
    "features",
    "fit_proxy",
    "floor_of",
    "folds",
    "read_floor",
    "spread_out",
    "thumbs",
    "uncertainty",
    "write_design",
]
