"""A handful of rows for the examples in docstrings."""

from __future__ import annotations

import numpy as np

from noria.stats.criteria.observed import Observed
from noria.stats.criteria.sample import Sample
from noria.stats.criteria.view import View


def few_rows() -> Sample:
    """Two in-scope queries, one of them right, and one out-of-scope query that is handed over.

    Example:
        >>> few_rows().view.top_right.tolist()
        [True, False, False]
    """
    observed = Observed(
        truth=["vpn", "wifi", "oos"],
        predicted=["vpn", "vpn", "vpn"],
        decision=["answer", "answer", "handoff"],
        confidence=[0.9, 0.6, 0.2],
        scope_score=[2.0, 1.0, -1.0],
        in_scope=[True, True, False],
        rankings=[("kb-1", "kb-2"), ("kb-1",), ()],
        relevant=[frozenset({"kb-2"}), frozenset({"kb-2"}), frozenset()],
        popularity={"kb-1": 5, "kb-2": 3},
        accounts=["acme", "", ""],
    )
    return Sample(View(observed), np.ones((1, 3)))
