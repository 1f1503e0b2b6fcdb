"""May the challenger take over? Paired bounds, gates on one comparison or anchored over many, bounds at all times."""

from noria.stats.gating.anchored import (
    AnchoredGate,
    AnchoredVerdict,
    Line,
    LineVerdict,
    Pairs,
    decide,
    pairs_of,
    share_of_alpha,
)
from noria.stats.gating.anytime import AnytimePaired, anytime_mean, anytime_paired, log_wealth
from noria.stats.gating.gates import Paired, compare, e_gate, pairs_needed
from noria.stats.gating.paired import mcnemar, tango_lower, tango_lowers
from noria.stats.gating.rates import RateDifference, anytime_quantile, anytime_rate, anytime_rates

__all__ = [
    "AnchoredGate",
    "AnchoredVerdict",
    "AnytimePaired",
    "Line",
    "LineVerdict",
    "Paired",
    "Pairs",
    "RateDifference",
    "anytime_mean",
    "anytime_paired",
    "anytime_quantile",
    "anytime_rate",
    "anytime_rates",
    "compare",
    "decide",
    "e_gate",
    "log_wealth",
    "mcnemar",
    "pairs_needed",
    "pairs_of",
    "share_of_alpha",
    "tango_lower",
    "tango_lowers",
]
