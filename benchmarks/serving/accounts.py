"""Prints the resident memory (MiB) of a process whose agent answers for some accounts of 1,000 articles each."""

from __future__ import annotations

import gc
import os
import random
import sys

from benchmarks.serving.load import resident_mib

from noria.agent import Recipe
from noria.agent.retrieval import ArticleFinder
from noria.app.wiring import load_encoder
from noria.records import Article

ARTICLES = 1_000
WORDS = 250


def main() -> None:
    """Articles of 250 words, drawn by Zipf's law from 20,000."""
    number, spec = int(sys.argv[1]), sys.argv[2]
    chance = random.Random(7)  # noqa: S311 - made-up words
    words = [f"{chance.choice('bcdfgklmnprst')}{chance.choice('aeiou')}{n:x}" for n in range(20_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]

    def text(length: int) -> str:
        return " ".join(chance.choices(words, weights, k=length))

    articles = [
        Article(f"a{a}-{n}", text(6), text(WORDS), account=f"a{a}") for a in range(number) for n in range(ARTICLES)
    ]
    finder = ArticleFinder(articles, Recipe(), encoder=load_encoder(spec))
    for account in range(max(number, 1)):
        finder.find(text(8), f"a{account}", {}, 3)
    gc.collect()
    print(resident_mib(os.getpid()))


main()
