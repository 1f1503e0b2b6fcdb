"""Distances of columns from a reference: those of the textbooks, adding up over parts, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp

from noria.errors import UsageError
from noria.stats.detection.drift import count, drift, grid

RNG = np.random.default_rng(0)
USUAL, OTHER = RNG.gamma(3, 20, 20_000), RNG.gamma(3, 25, 5_000)


def test_distances_are_those_of_the_textbooks():
    """On the same bins: scipy's Jensen-Shannon and chi-square; KS but for the width of a fine cell."""
    at = grid(USUAL)
    before, cells = at.counts(USUAL), at.counts(OTHER)
    told = drift(at, before, cells)
    old, new = np.add.reduceat(before[0], at.bins), np.add.reduceat(cells[0], at.bins)
    assert told.js[0] == pytest.approx(jensenshannon(old, new, 2))
    expected = chi2_contingency(np.array([old, new]))
    assert told.chi2[0] == pytest.approx(expected.statistic)
    assert told.p[0] == pytest.approx(expected.pvalue, abs=1e-12)
    p, q = old / old.sum(), new / new.sum()
    assert told.psi[0] == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert told.ks[0] == pytest.approx(ks_2samp(USUAL, OTHER).statistic, abs=0.01)


def test_categories_are_compared_each():
    codes, later = RNG.integers(0, 3, 4000), np.repeat([0, 1, 2, 7], 100)
    at = grid(codes)
    told = drift(at, at.counts(codes), at.counts(later))
    assert at.cells == 4
    assert told.chi2[0] > 500
    assert drift(at, at.counts(codes), at.counts(codes)).js[0] == 0


def test_parts_add_up_to_the_whole_and_groups_stand_alone():
    at, group = grid(USUAL), RNG.integers(0, 4, len(OTHER))
    whole = at.counts(OTHER, group, 5)
    parts = at.counts(OTHER[:2000], group[:2000], 5) + at.counts(OTHER[2000:], group[2000:], 5)
    assert (whole == parts).all()
    told = drift(at, at.counts(USUAL), whole)
    assert told.rows.tolist() == [*np.bincount(group).tolist(), 0]
    assert np.isnan(told.js[4])
    alone = drift(at, at.counts(USUAL), at.counts(OTHER[group == 2]))
    assert told.psi[2] == pytest.approx(alone.psi[0])


def test_each_account_is_held_against_itself_on_every_day():
    """Several columns by day and account at once: as each of them alone, cut out by hand."""
    columns = [RNG.gamma(3, 20, 9_000), RNG.integers(0, 3, 9_000), RNG.integers(0, 200, 9_000)]
    account, day, usual = RNG.integers(0, 4, 9_000), RNG.integers(0, 3, 9_000), np.arange(9_000) < 4_000
    grids = [grid(c[usual]) for c in columns]
    before = count(grids, [c[usual] for c in columns], [account[usual]], [4])
    after = count(grids, [c[~usual] for c in columns], [day[~usual], account[~usual]], [3, 4])
    for at, column, reference, counts in zip(grids, columns, before, after, strict=True):
        told = drift(at, reference, counts)
        for d, a in ((0, 0), (1, 3), (2, 2)):
            own, now = column[usual & (account == a)], column[~usual & (day == d) & (account == a)]
            alone = drift(at, at.counts(own), at.counts(now))
            assert [told.psi[d, a], told.js[d, a], told.chi2[d, a], told.p[d, a]] == pytest.approx(
                [alone.psi[0], alone.js[0], alone.chi2[0], alone.p[0]]
            )
            shares = [
                np.searchsorted(np.sort(c), at.low + at.step * np.arange(1, at.cells)) / len(c) for c in (own, now)
            ]
            assert told.ks[d, a] == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=1e-9)
            assert told.rows[d, a] == len(now)
        # a reference of its own for each day and account, here the same every day
        assert (drift(at, np.broadcast_to(reference, counts.shape), counts).ks == told.ks).all()


def test_bins_of_numbers_begin_at_the_quantiles():
    at = grid(USUAL)
    edges = at.low + at.step * at.bins[1:]
    assert np.abs(edges - np.quantile(USUAL, np.arange(1, 10) / 10)).max() <= at.step


def test_memory_does_not_grow_with_rows():
    at, peaks = grid(USUAL), []
    for n in (600_000, 1_200_000):
        values, group = RNG.gamma(3, 20, n), RNG.integers(0, 21, n)
        tracemalloc.start()
        at.counts(values, group, 21)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("wrong", [[], [1.0, np.nan]])
def test_a_reference_without_numbers_is_refused(wrong):
    with pytest.raises(UsageError):
        grid(wrong)


def test_rows_in_groups_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="group"):
        grid(USUAL).counts([1.0, 2.0], [0, 3], 3)


def test_a_value_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="not a number"):
        grid(USUAL).counts([1.0, np.nan])
