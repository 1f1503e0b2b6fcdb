"""The catalogue of criteria: named, directed measures as data, and `measure`, which computes all that can be told."""

from noria.stats.criteria.catalogue import CATALOGUE, COMPONENTS, criterion
from noria.stats.criteria.criterion import Criterion
from noria.stats.criteria.measuring import Measurement, measure
from noria.stats.criteria.observed import Costs, Observed, Perturbed, Replica

__all__ = [
    "CATALOGUE",
    "COMPONENTS",
    "Costs",
    "Criterion",
    "Measurement",
    "Observed",
    "Perturbed",
    "Replica",
    "criterion",
    "measure",
]
