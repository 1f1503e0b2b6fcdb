"""The plain thing to beat: scikit-learn's TF-IDF over words and characters under a linear support vector machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from benchmarks.intent.figures import Floats, Told
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from noria.records import OOS, Example

FALSE_REJECTS = 0.04
MANY = 5000


def plain(learnt: Sequence[Example], held: Sequence[Example]) -> Told:
    """What it says of rows; its gate lets pass all but 4 % of the learnt rows, each scored by a fit without it."""
    rows = [r for r in learnt if r.intent != OOS and r.split != "val"]
    texts, intents = [r.text for r in rows], np.array([r.intent for r in rows])
    model = _model().fit(texts, intents)
    scores = model.decision_function([r.text for r in held])
    return Told(
        truth=np.array([r.intent for r in held]),
        top=model.classes_[scores.argmax(axis=1)],
        score=scores.max(axis=1),
        passed=scores.max(axis=1) >= np.quantile(_own_scores(texts, intents), FALSE_REJECTS),
        confidence=np.zeros(len(held)),
    )


def _own_scores(texts: Sequence[str], intents: np.ndarray) -> Floats:
    """The best logit of each row by a fit on the other two thirds."""
    scores: list[float] = []
    numbers = np.arange(len(texts))
    # of many rows a third shows enough
    for turn in range(1 if len(texts) > MANY else 3):
        part = numbers % 3 == turn
        model = _model().fit([texts[i] for i in numbers[~part]], intents[~part])
        scores += model.decision_function([texts[i] for i in numbers[part]]).max(axis=1).tolist()
    return np.array(scores)


def _model() -> Pipeline:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    return make_pipeline(make_union(words, letters), LinearSVC(C=0.5, random_state=0))
