"""When did something rare begin? The first window of a kind of query that was hardly there, at once or growing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.inception.scan import Inception, Shape
from noria.stats.intervals import Floats

ONSET_RAMPS = (0, 12, 24, 48, 72, 96, 120, 144, 168, 240)
_STEPS = 25
_LEAST = 1e-9


def onset(
    k: npt.ArrayLike, n: npt.ArrayLike, *, chance: float, ramps: Sequence[int] = ONSET_RAMPS, c: float = 3.68
) -> Inception | None:
    """The beginning of a rise of rare counts, by their full likelihood; None where nothing rose.

    A score scan (`locate`) takes one variance for all windows; where a share rises from nearly nothing the first few
    hits tell most, and a Poisson likelihood of "chance, and from s on a ramp" weighs them as they deserve.

    Args:
        k: hits in each window (T,).
        n: queries in each window (T,).
        chance: share of hits that was expected before, above 0; it is fitted, too, from there on.
        ramps: windows over which the rise may come, 0 or 1 for at once.
        c: width of the likelihood set: -log(1 - sqrt(level)), 3.68 at 95 %, 5.3 at 99 %.

    Returns:
        The beginning; `before` and `after` are the fitted shares before and when the rise is complete.

    Raises:
        UsageError: counts do not fit, no ramp, or chance not above 0.

    Source: Poisson likelihood by EM (Dempster, Laird, Rubin, JRSS B 39 (1977) 1); set as in `locate`.

    Example:
        >>> hits = [0, 1, 0, 0, 0, 0, 1, 2, 3, 5, 6, 6, 6, 6]
        >>> found = onset(hits, [50] * 14, chance=0.005, ramps=(0, 5))
        >>> found.index, found.ramp, found.shape
        (6, 5, 'either')
    """
    hits, queries = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    fitting = hits.shape == queries.shape and hits.ndim == 1 and bool((hits >= 0).all() and (hits <= queries).all())
    if not (fitting and len(ramps) and min(ramps) >= 0 and chance > 0):
        raise UsageError(
            f"hits {hits.shape}, queries {queries.shape}, ramps {tuple(ramps)}, chance {chance}: see above."
        )
    if not hits.any():
        return None
    nothing = _likelihood(hits, queries, np.full((1, len(hits)), hits.sum() / queries.sum()))[0]
    fits = [_fit(hits, queries, max(int(ramp), 1), chance) for ramp in ramps]
    likelihood = np.array([fit[0] for fit in fits])
    best = likelihood.max(axis=0)
    index, near = int(best.argmax()), best.max() - c
    gain = float(best.max() - nothing)
    if gain <= _LEAST:
        return None
    at = int(likelihood[:, index].argmax())
    _, base, rise = fits[at]
    inside = np.flatnonzero(best >= near)
    kinds = {int(ramp) > 1 for ramp, row in zip(ramps, likelihood, strict=True) if row.max() >= near}
    shape: Shape = "either" if len(kinds) > 1 else "gradual" if True in kinds else "sudden"
    before, after = float(base[index]), float(base[index] + rise[index])
    return Inception(index, int(inside[0]), int(inside[-1]), int(ramps[at]), before, after, shape, gain)


def _fit(hits: Floats, queries: Floats, length: int, chance: float) -> tuple[Floats, Floats, Floats]:
    """Of a rise that begins at each window: log-likelihood, share before, and rise of the share, (T,) each."""
    t, total = np.arange(len(hits)), queries.sum()
    profile = np.clip((t[None] - t[:, None] + 1) / length, 0.0, 1.0)
    exposed = np.maximum(profile @ queries, _LEAST)
    # Windows without hits have no say in a step of the fit.
    seen = np.flatnonzero(hits)
    here, weight = np.ascontiguousarray(profile[:, seen]), hits[seen]
    base, rise = np.full(len(hits), chance), np.full(len(hits), max(chance, hits.sum() / total))
    for _ in range(_STEPS):
        ratio = weight / (base[:, None] + rise[:, None] * here + _LEAST)
        rise = rise * np.einsum("st,st->s", here, ratio) / exposed
        base = base * ratio.sum(axis=1) / total
    return _likelihood(hits, queries, base[:, None] + rise[:, None] * profile), base, rise


def _likelihood(hits: Floats, queries: Floats, share: Floats) -> Floats:
    """Poisson log-likelihood of shares (rows, T), but for what does not depend on them."""
    known = np.maximum(share, _LEAST)
    out: Floats = np.log(known) @ hits - known @ queries
    return out
