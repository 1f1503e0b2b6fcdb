"""How long finding takes over made-up articles, on one thread, beside usual pipelines in the same run.

The encoder's own time is left out: the agent encodes a query once for all its parts.

    OMP_NUM_THREADS=1 python -m benchmarks.retrieval.latency [--articles 10000] [--questions 2000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

from noria.agent import Recipe
from noria.agent.ranking import Citation
from noria.agent.retrieval import ArticleFinder
from noria.records import Article

VOCABULARY = 20_000
BODY_WORDS, TITLE_WORDS, QUERY_WORDS = 300, 6, 12
DIM = 384


class WordVectors:
    """A stand-in for an encoder: the mean of random vectors of words, so that like texts are alike."""

    spec, fingerprint, dim, sentence_dim = "made-up", "0" * 64, DIM, DIM

    def __init__(self) -> None:
        self._table = np.random.default_rng(1).normal(size=(VOCABULARY, DIM)).astype(np.float32)

    def encode(self, texts: Sequence[str], kind: str) -> np.ndarray:  # noqa: ARG002
        """(n, DIM); `kind` makes no difference."""
        means = [self._table[[int(word[1:]) for word in text.split()]].mean(axis=0) for text in texts]
        return np.stack(means)


def main() -> None:
    """Builds, times, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=2_000)
    chosen = parser.parse_args()
    random = np.random.default_rng(0)
    # Zipf's law for words, as in real texts: without common words BM25 would look too fast.
    odds = 1 / np.arange(1, VOCABULARY + 1)
    draw = lambda count: " ".join(f"w{i}" for i in random.choice(VOCABULARY, count, p=odds / odds.sum()))  # noqa: E731
    articles = [Article(f"a{i:06}", draw(TITLE_WORDS), draw(BODY_WORDS)) for i in range(chosen.articles)]
    citations = [Citation(draw(QUERY_WORDS), articles[i % len(articles)].article_id) for i in range(chosen.questions)]
    queries = [draw(QUERY_WORDS) for _ in range(600)]
    encoder = WordVectors()
    vectors = list(encoder.encode(queries, "query"))
    words = ArticleFinder(articles, Recipe())
    dense = ArticleFinder(articles, Recipe(), encoder=encoder)
    taught = dense.with_citations(citations)
    rows = [
        ("words alone", timed(lambda i: words.find(queries[i], "", {}, 3), len(queries))),
        ("words and vectors", timed(lambda i: dense.find(queries[i], "", {}, 3, vector=vectors[i]), len(queries))),
        ("taught", timed(lambda i: taught.find(queries[i], "", {}, 3, vector=vectors[i]), len(queries))),
        ("scikit-learn: TF-IDF, sparse product", timed(scikit(articles, queries, None), 60)),
        ("the same, and cosines with all passages", timed(scikit(articles, queries, (dense, vectors)), 60)),
    ]
    if (by_rank_bm25 := rank_bm25(articles, queries)) is not None:
        rows.append(("rank_bm25", timed(by_rank_bm25, 20)))
    print("| | p50 ms | p99 ms |\n| --- | --- | --- |")
    for name, (p50, p99) in rows:
        print(f"| {name} | {p50:.2f} | {p99:.2f} |")
    changed = [*articles[1:], Article("new", draw(TITLE_WORDS), draw(BODY_WORDS))]
    for name, finder in (("words alone", words), ("taught", taught)):
        start = time.process_time()
        finder.with_articles(changed).find(queries[0], "", {}, 3, vector=vectors[0])
        print(f"one article changed, until the first answer, {name}: {time.process_time() - start:.2f} CPU s")


def timed(find: Callable[[int], object], count: int) -> tuple[float, float]:
    """CPU ms (median, 99th percentile) of each of `count` queries, after a warm-up of as many."""
    for i in range(count):
        find(i)
    took = []
    for i in range(count):
        start = time.process_time_ns()
        find(i)
        took.append((time.process_time_ns() - start) / 1e6)
    return float(np.quantile(took, 0.5)), float(np.quantile(took, 0.99))


def scikit(
    articles: Sequence[Article], queries: Sequence[str], dense: tuple[ArticleFinder, list[np.ndarray]] | None
) -> Callable[[int], object]:
    """What one would write in an afternoon."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True)
    matrix = vectorizer.fit_transform([f"{a.title} {a.body}" for a in articles]).T.tocsr()
    passages = owners = None
    if dense:
        vectors = dense[0].view(None).shelves[0].vectors
        passages = vectors.passages.floats()
        owners = vectors.starts[:-1]

    def find(i: int) -> object:
        scores = (vectorizer.transform([queries[i]]) @ matrix).toarray()[0]
        if dense:
            scores = scores + np.maximum.reduceat(passages @ dense[1][i], owners)
        return np.argpartition(-scores, 3)[:3]

    return find


def rank_bm25(articles: Sequence[Article], queries: Sequence[str]) -> Callable[[int], object] | None:
    """The package of that name, where it is installed."""
    try:
        from rank_bm25 import BM25Okapi
    except ImportError:
        return None
    index = BM25Okapi([f"{a.title} {a.body}".split() for a in articles])
    return lambda i: np.argpartition(-index.get_scores(queries[i].split()), 3)[:3]


if __name__ == "__main__":
    main()
