"""Figures on labels: how far people agree, how good each of them is, which labels are likely wrong.

Example:
    >>> krippendorff_alpha([["a", "a"], ["b", "b"]])
    1.0
"""

from noria.stats.labels.agreement import Agreement, krippendorff_alpha, krippendorff_interval
from noria.stats.labels.annotators import Annotators, dawid_skene, weight_of
from noria.stats.labels.noise import Suspects, suspects

__all__ = [
    "Agreement",
    "Annotators",
    "Suspects",
    "dawid_skene",
    "krippendorff_alpha",
    "krippendorff_interval",
    "suspects",
    "weight_of",
]
