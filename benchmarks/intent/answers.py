"""How long a whole answer takes over many articles, on one thread, beside a scikit-learn pipeline in the same run.

Queries are validation rows of clinc150, asked one by one; articles are made up by Zipf's law from words of its training
rows, so their texts mean nothing, but they weigh what short articles weigh.

    OMP_NUM_THREADS=1 python -m benchmarks.intent.answers [--articles 10000] [--queries 1000]
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from benchmarks.intent.rows import load
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from noria.agent import Agent, Recipe, fit, pack, unpack
from noria.app.wiring import load_encoder, with_cache
from noria.records import OOS, Article, Example

TITLE_WORDS, BODY_WORDS = 6, 25
ROWS_OF_PEER = 20
"""Rows an intent that the peer is fitted on: how long it takes to answer depends on words and intents alone."""


def main() -> None:
    """Fits, times, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=1_000)
    chosen = parser.parse_args()
    encoder = load_encoder("minilm")
    if encoder is None:
        raise SystemExit("this benchmark needs an encoder: noria encoder add minilm")
    rows = [r for r in load("clinc150") if r.split != "test" and r.intent != OOS]
    queries = [r.text for r in rows if r.split == "val"][: chosen.queries]
    learnt = [r for r in rows if r.split == "train"]
    articles = made_up(learnt, chosen.articles)
    asked: dict[str, Callable[[str], object]] = {}
    for lineup in ("default", "fast"):
        agent = unpack(pack(fit(rows, (), Recipe(lineup=lineup), with_cache(encoder))), encoder)
        asked[f"Noria, {lineup}"] = answering(agent.with_articles(articles))
    asked["scikit-learn: TF-IDF, logistic regression, TF-IDF cosines"] = plain(learnt, articles)
    print("| | p50, CPU ms | p99, CPU ms |\n| --- | --- | --- |")
    for name, answer in asked.items():
        p50, p99 = timed(answer, queries)
        print(f"| {name} | {p50:.2f} | {p99:.2f} |", flush=True)


def made_up(rows: Sequence[Example], count: int) -> list[Article]:
    """Articles for all accounts, always the same ones."""
    often = Counter(word for row in rows for word in re.findall(r"\w+", row.text.lower()))
    words = sorted(often, key=lambda word: (-often[word], word))
    odds = 1 / np.arange(1, len(words) + 1)
    dice = np.random.default_rng(0)
    drawn = dice.choice(len(words), (count, TITLE_WORDS + BODY_WORDS), p=odds / odds.sum())
    texts = [[words[i] for i in row] for row in drawn]
    return [
        Article(f"a{n:06}", " ".join(text[:TITLE_WORDS]), " ".join(text[TITLE_WORDS:])) for n, text in enumerate(texts)
    ]


def answering(agent: Agent) -> Callable[[str], object]:
    """The agent's whole answer; articles are found whatever it decides, so that no query is let off."""

    def answer(text: str) -> object:
        said = agent.answer(text)
        if said.articles:
            return said
        vector = agent.encoder.encode([text], "query")[0] if agent.encoder else None
        return said, agent.finder.find(text, "", {}, 3, vector=vector)

    return answer


def plain(rows: Sequence[Example], articles: Sequence[Article]) -> Callable[[str], object]:
    """What one would write in an afternoon."""
    counts: Counter[str] = Counter()
    some = [r for r in rows if not counts.update([r.intent]) and counts[r.intent] <= ROWS_OF_PEER]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    head = LogisticRegression(C=10, max_iter=100)
    head.fit(words.fit_transform([r.text for r in some]), [r.intent for r in some])
    finder = TfidfVectorizer(sublinear_tf=True)
    matrix = finder.fit_transform([f"{a.title} {a.body}" for a in articles]).T.tocsr()

    def answer(text: str) -> object:
        scores = (finder.transform([text]) @ matrix).toarray()[0]
        return head.predict_proba(words.transform([text])).argmax(), np.argpartition(-scores, 3)[:3]

    return answer


def timed(answer: Callable[[str], object], queries: Sequence[str]) -> tuple[float, float]:
    """CPU ms (median, 99th percentile) of each query, after a warm-up by all of them."""
    for text in queries:
        answer(text)
    took = []
    for text in queries:
        start = time.process_time_ns()
        answer(text)
        took.append((time.process_time_ns() - start) / 1e6)
    return float(np.quantile(took, 0.5)), float(np.quantile(took, 0.99))


if __name__ == "__main__":
    main()
