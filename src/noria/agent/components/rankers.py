"""The ranker of another package inside our retriever: fitted, stored and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from noria.agent.components.registry import brought, fits
from noria.agent.protocols import ArticleRanker, Floats, Stored
from noria.agent.recipe import Recipe

_ARRAYS = "ranker."
"""Before the names of its arrays, which lie among the vectors."""
Arrays = Mapping[str, npt.NDArray[Any]]


def own_ranker(taught: Sequence[tuple[Floats, Floats]], recipe: Recipe) -> ArticleRanker:
    """The ranker that the recipe names, fitted."""
    made = brought("ranker", recipe.ranker).made_by.train(taught, recipe)
    return cast("ArticleRanker", fits("ranker", recipe.ranker, made))


def packed_ranker(ranker: ArticleRanker) -> tuple[dict[str, object], dict[str, npt.NDArray[Any]]]:
    """Its figures, and its arrays by the names they have among the vectors."""
    stored = cast("Stored", cast("Any", ranker).stored())
    return dict(stored.figures), {f"{_ARRAYS}{name}": np.asarray(array) for name, array in stored.arrays.items()}


def unpacked_ranker(figures: Mapping[str, object], arrays: Arrays, recipe: Recipe) -> ArticleRanker:
    """The ranker of those figures and of its arrays among `arrays`."""
    own = {name.removeprefix(_ARRAYS): array for name, array in arrays.items() if name.startswith(_ARRAYS)}
    made = brought("ranker", recipe.ranker).made_by.load(Stored(figures, own), recipe)
    return cast("ArticleRanker", fits("ranker", recipe.ranker, made))
