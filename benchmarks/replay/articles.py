"""A help forum replayed by time: does the ranking of articles get better by what people answer?

    python -m benchmarks.replay.articles

The questions of `sumo-kb` come in by time. The first 60 % have been before; from then on each week's questions are
asked of the finder as it stood on its first day, and what those who answered them linked teaches the finder of the
next week. Nothing was chosen here: the settings are the product's own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
from benchmarks.retrieval.corpus import Question, load, split
from benchmarks.retrieval.run import DEPTH, Ranking, interval, taught

from noria.agent import Recipe
from noria.agent.ranking import FEATURES, Citation, Ranker
from noria.agent.retrieval import ArticleFinder
from noria.app.wiring import load_encoder, with_cache
from noria.stats.ranking import hit_at_k

Make = Callable[[Sequence[Citation]], ArticleFinder]


def main() -> None:
    """Replays each method and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--part", choices=("inner", "test"), default="test")
    chosen = parser.parse_args()
    loaded = load_encoder(chosen.encoder)
    if loaded is None:
        raise SystemExit("this benchmark needs an encoder: noria encoder add minilm")
    encoder = with_cache(loaded)
    articles, questions = load()
    before, stream = split(questions, chosen.part)
    weeks = by_week(stream)
    popular = Ranker(tuple(float(name == "popularity") for name in FEATURES))
    bm25, untaught = ArticleFinder(articles, Recipe()), ArticleFinder(articles, Recipe(), encoder=encoder)
    everything = Recipe(rank_for="all")
    methods: dict[str, tuple[Make, bool]] = {
        "popularity, so far": (
            lambda seen: ArticleFinder(articles, everything, encoder=encoder, citations=seen).with_ranker(popular),
            True,
        ),
        "BM25": (lambda _: bm25, False),
        "hybrid, untaught": (lambda _: untaught, False),
        "taught once, before the first week": (lambda seen: taught(articles, Recipe(), encoder, seen), False),
        "**taught every week (the loop)**": (lambda seen: taught(articles, Recipe(), encoder, seen), True),
    }  # fmt: skip
    print(f"{len(articles)} articles; {len(before)} questions before, {len(stream)} in {len(weeks)} weeks, "
          f"{sum(bool(q.specific) for q in stream)} of them specific.\n")  # fmt: skip
    print("| method | specific pairs: hit@10 | last third of the weeks | times BM25 |\n| --- | --: | --: | --: |")
    rows: dict[str, tuple[list[float], list[float]]] = {}
    for name, (make, weekly) in methods.items():
        rows[name] = replay(make, before, weeks, weekly=weekly)
    base = mean(rows["BM25"][0])
    for name, (hits, late) in rows.items():
        low, high = interval(np.array(hits))
        print(f"| {name} | {mean(hits):.3f} ({low:.3f}–{high:.3f}) | {mean(late):.3f} | {mean(hits) / base:.2f} |")


def replay(
    make: Make, before: Sequence[Question], weeks: Sequence[Sequence[Question]], *, weekly: bool
) -> tuple[list[float], list[float]]:
    """Whether one of the first ten articles is right, for each specific question; and those of the last third."""
    seen = [c for q in before for c in q.citations]
    finder, hits, late = make(seen), list[float](), list[float]()
    for number, week in enumerate(weeks):
        if weekly and number:
            finder = make(seen)
        for question in week:
            if question.specific:
                found: Ranking = [r.article_id for r in finder.find(question.text, "", {}, DEPTH)]
                hits.append(hit_at_k([found], [question.specific], 10))
                if number >= 2 * len(weeks) / 3:
                    late.append(hits[-1])
        # what was linked in answer is known by the end of the week, and not before
        seen += [c for q in week for c in q.citations]
    return hits, late


def by_week(stream: Sequence[Question]) -> list[list[Question]]:
    """The questions of each calendar week."""
    weeks: dict[tuple[int, int], list[Question]] = {}
    for question in stream:
        year, week, _ = date.fromisoformat(question.day).isocalendar()
        weeks.setdefault((year, week), []).append(question)
    return [weeks[key] for key in sorted(weeks)]


def mean(values: Sequence[float]) -> float:
    """Their mean."""
    return sum(values) / len(values)


if __name__ == "__main__":
    started = time.process_time()
    main()
    print(f"\nCPU: {time.process_time() - started:.0f} s")
