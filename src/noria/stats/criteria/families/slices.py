"""Criteria of the component slices: is the agent as good for every account, language and domain as for all?

A slice is asked where it has at least 20 in-scope rows; at least two slices must be asked.

Example:
    >>> CRITERIA[0].id
    'slices.worst_account_accuracy'
"""

from __future__ import annotations

import numpy as np

from noria.stats.criteria.criterion import Criterion, weighted
from noria.stats.criteria.families.calibration import bin_sums, expected_error
from noria.stats.criteria.sample import (
    Sample,
    by_code,
    divided,
    known_least,
    known_mean,
    known_most,
    known_spread,
    ratio,
)
from noria.stats.criteria.view import Flags, Floats

LEAST_ROWS = 20
OWN = "own definition"
_HARDT = "Hardt, Price, Srebro, NeurIPS 2016 (equal opportunity)"
_FOUR_FIFTHS = "Feldman et al., KDD 2015 (four-fifths rule)"
_SLICES = {"account": "accounts", "language": "languages", "domain": "domains"}


def rates(s: Sample, column: str, kind: str) -> Floats:
    """A share (B, G) of each slice of a column; NaN where it has no such rows, empty where fewer than two are asked.

    Example:
        >>> from noria.stats.criteria.made_up import few_rows
        >>> rates(few_rows(), "accounts", "accuracy").tolist()
        [[nan]]
    """

    def compute() -> Floats:
        v = s.view
        counts, of = _kinds(s)[kind]
        names, codes = v.groups(column, LEAST_ROWS)
        if len(names) < 2:
            return np.full((len(s.weights), 1), np.nan)
        inside = np.where(of, codes, -1)
        both = np.where(of & counts, codes, -1)
        return ratio(by_code(s.weights, both, len(names)), by_code(s.weights, inside, len(names)))

    return s.memo(f"rates {column} {kind}", compute)


def _kinds(s: Sample) -> dict[str, tuple[Flags, Flags]]:
    v = s.view
    return {
        "accuracy": (v.top_right, v.inside),
        "success": (v.top_right & v.answered, v.inside),
        "coverage": (v.answered, v.inside),
        "preciseness": (v.top_right, v.judged & v.answered),
        "false_rejects": (~v.accepted, v.inside),
    }


def _gap(values: Floats) -> Floats:
    return known_most(values) - known_least(values)


def _ece(s: Sample, column: str) -> Floats:
    """Calibration error (B,) of the slice with the largest, over five bins of equal mass."""
    v = s.view
    names, codes = v.groups(column, LEAST_ROWS)
    if len(names) < 2:
        return np.full(len(s.weights), np.nan)
    errors = []
    for number in range(len(names)):
        rows = (codes == number) & v.judged
        errors.append(expected_error(_five_bins(s, rows)))
    return known_most(np.array(errors).T)


def _five_bins(s: Sample, rows: Flags) -> tuple[Floats, Floats, Floats]:
    return bin_sums(s, s.view.confidence, s.view.top_right, rows, 5)


def _of_column(column: str) -> tuple[Criterion, ...]:
    name = column.removesuffix("s")
    needs, lacks = (column,), f"two {column} with at least {LEAST_ROWS} in-scope rows each"

    def worst(kind: str) -> Criterion:
        return weighted(f"slices.worst_{name}_{kind}", f"{kind} of the {name} with the least",
                        lambda s: known_least(rates(s, column, kind)), needs=needs, source=OWN,
                        lacks=lacks)  # fmt: skip

    def gap(kind: str, source: str) -> Criterion:
        words = kind.replace("_", " ")
        return weighted(f"slices.{name}_{kind}_gap", f"largest minus least {words} over {column}",
                        lambda s: _gap(rates(s, column, kind)), direction="lower", unit="difference of shares",
                        needs=needs, source=source, lacks=lacks)  # fmt: skip

    return (
        worst("accuracy"),
        worst("success"),
        worst("preciseness"),
        gap("accuracy", OWN),
        gap("coverage", "Dwork et al., ITCS 2012 (demographic parity)"),
        gap("success", _HARDT),
        gap("false_rejects", _HARDT),
        weighted(f"slices.{name}_success_ratio", f"least success over {column} ÷ the largest",
                 lambda s: divided(known_least(rates(s, column, "success")), known_most(rates(s, column, "success")),
                                   np.nan),
                 needs=needs, source=_FOUR_FIFTHS, lacks=lacks),
        weighted(f"slices.mean_{name}_accuracy", f"mean accuracy over {column}, each counting the same",
                 lambda s: known_mean(rates(s, column, "accuracy")), needs=needs, source=OWN, lacks=lacks),
        weighted(f"slices.{name}_accuracy_spread", f"standard deviation of the accuracy over {column}",
                 lambda s: known_spread(rates(s, column, "accuracy")), direction="lower", needs=needs, source=OWN,
                 lacks=lacks),
        weighted(f"slices.worst_{name}_ece", f"calibration error (five bins) of the {name} with the largest",
                 lambda s: _ece(s, column), direction="lower", needs=needs, source=OWN, lacks=lacks),
    )  # fmt: skip


CRITERIA: tuple[Criterion, ...] = tuple(c for column in _SLICES.values() for c in _of_column(column))
