"""How well articles are found, with and without what earlier answers taught. Prints a table in Markdown.

python -m benchmarks.retrieval.run            # the part on which choices are made
python -m benchmarks.retrieval.run --part test  # the later questions; once, at the end
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
from benchmarks.retrieval.corpus import Question, load, split

from noria.agent import Recipe
from noria.agent.encoding import Encoder
from noria.agent.ranking import FEATURES, Citation, Ranker
from noria.agent.retrieval import ArticleFinder, fit_finder
from noria.app.wiring import load_encoder, with_cache
from noria.records import Article
from noria.stats.ranking import hit_at_k, mrr, ndcg_at_k

DEPTH = 100
Ranking = list[str]


def main() -> None:
    """Reads the arguments, ranks by every method, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("inner", "test"), default="inner")
    parser.add_argument("--encoder", default="minilm")
    chosen = parser.parse_args()
    loaded = load_encoder(chosen.encoder)
    if loaded is None:
        raise SystemExit("this benchmark needs an encoder: noria encoder add minilm")
    articles, questions = load()
    earlier, later = split(questions, chosen.part)
    specific = sum(bool(q.specific) for q in later)
    print(f"{len(articles)} articles, {len(earlier)} earlier questions, {len(later)} later ({specific} specific).\n")
    print("| method | specific: hit@10 | MRR | nDCG@10 | all pairs: hit@10 | MRR | nDCG@10 |\n|" + " --- |" * 7)
    for name, rankings in by_method(articles, earlier, later, with_cache(loaded)):
        print(f"| {name} | " + " | ".join(figures(rankings, later)) + " |", flush=True)


def by_method(
    articles: Sequence[Article], earlier: Sequence[Question], later: Sequence[Question], encoder: Encoder
) -> list[tuple[str, list[Ranking]]]:
    """Name and rankings of each method."""
    citations = [c for q in earlier for c in q.citations]
    untaught = ArticleFinder(articles, Recipe(), encoder=encoder)
    everything = Recipe(rank_for="all")
    plain = ArticleFinder(articles, everything, encoder=encoder, citations=citations)

    last = ArticleFinder(articles, Recipe(), encoder=encoder, citations=citations)

    def alone(feature: str, finder: ArticleFinder = plain) -> ArticleFinder:
        return finder.with_ranker(Ranker(tuple(float(name == feature) for name in FEATURES)))

    methods: list[tuple[str, Callable[[], ArticleFinder]]] = [
        ("popularity", lambda: alone("popularity")),
        ("BM25", lambda: ArticleFinder(articles, Recipe())),
        ("dense (best passage)", lambda: untaught.with_ranker(alone("passage").ranker)),
        ("hybrid, untaught", lambda: untaught),
        ("votes of near questions (kNN)", lambda: alone("votes")),
        ("the same, generic articles last", lambda: alone("votes", last)),
        ("hybrid weights, articles taught, generic last", lambda: last),
        ("taught, without encoder", lambda: told(fit_finder(articles, Recipe(), citations=citations))),
        ("**taught, for specific articles** (default)", lambda: told(taught(articles, Recipe(), encoder, citations))),
        ("taught, for all articles", lambda: told(taught(articles, everything, encoder, citations))),
    ]
    return [(name, rankings_of(make(), later)) for name, make in methods]


def taught(
    articles: Sequence[Article], recipe: Recipe, encoder: Encoder, citations: Sequence[Citation]
) -> ArticleFinder:
    """A finder fitted with everything."""
    return fit_finder(articles, recipe, encoder=encoder, citations=citations)


def told(finder: ArticleFinder) -> ArticleFinder:
    """The finder, its weights printed as a remark."""
    weights = ", ".join(f"{n} {w:.3f}" for n, w in zip(FEATURES, finder.ranker.weights, strict=True))
    print(f"<!-- {weights} -->")
    return finder


def rankings_of(finder: ArticleFinder, later: Sequence[Question]) -> list[Ranking]:
    """The best articles for each question."""
    return [[r.article_id for r in finder.find(q.text, "", {}, DEPTH)] for q in later]


def figures(rankings: Sequence[Ranking], later: Sequence[Question]) -> list[str]:
    """Three figures on specific pairs, then on all, each with its 95 % interval."""
    cells = []
    for wanted in ([q.specific for q in later], [q.cited for q in later]):
        asked = [(r, w) for r, w in zip(rankings, wanted, strict=True) if w]
        for measure in (lambda r, w: hit_at_k(r, w, 10), mrr, lambda r, w: ndcg_at_k(r, w, 10)):
            values = np.array([measure([r], [w]) for r, w in asked])
            low, high = interval(values)
            cells.append(f"{values.mean():.3f} ({low:.3f}–{high:.3f})")
    return cells


def interval(values: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """95 % percentile bootstrap over questions."""
    random = np.random.default_rng(0)
    means = values[random.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


if __name__ == "__main__":
    started = time.process_time()
    main()
    print(f"\nCPU: {time.process_time() - started:.0f} s")
