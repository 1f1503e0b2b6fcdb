"""Questions with the articles that people linked in answer, split by time."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

from noria.agent.ranking import Citation
from noria.records import Article

ROOT = Path(__file__).resolve().parents[2]
LATER = 0.4
"""Share of a part's questions, the latest, that are asked; the earlier ones teach."""
GENERIC_SHARE = 0.04


@dataclass(frozen=True)
class Question:
    """A question of a day (YYYY-MM-DD), the articles linked in answer; `specific`: without those linked everywhere."""

    text: str
    cited: frozenset[str]
    specific: frozenset[str]
    citations: tuple[Citation, ...]
    day: str = ""


def data_folder() -> Path:
    """Where the benchmark data lie."""
    return Path(os.environ.get("NORIA_BENCH_DATA", ROOT.parent / "shared" / "data"))


def load() -> tuple[list[Article], list[Question]]:
    """Articles, and questions from the earliest to the latest."""
    articles = [
        Article(r["article_id"], r["title"], f"{r['summary']}\n{r['body']}") for r in _rows("articles-2024-06-12")
    ]
    pairs: dict[int, list[tuple[str, bool]]] = {}
    for row in _rows("qrels"):
        pairs.setdefault(row["qid"], []).append((row["article_id"], row["generic"]))
    questions = [
        Question(
            row["text"],
            frozenset(article for article, _ in pairs[row["qid"]]),
            frozenset(article for article, generic in pairs[row["qid"]] if not generic),
            tuple(Citation(row["text"], article, question_id=str(row["qid"])) for article, _ in pairs[row["qid"]]),
            str(row["date"])[:10],
        )
        for row in sorted(_rows("queries"), key=lambda row: (row["date"], row["qid"]))
    ]
    return articles, questions


def split(questions: list[Question], part: str) -> tuple[list[Question], list[Question]]:
    """(earlier, later): of all questions for "test"; of the earlier 60 % for "inner", where choices are made."""
    cut = int(len(questions) * (1 - LATER))
    if part == "test":
        return questions[:cut], questions[cut:]
    return split(questions[:cut], "test")


def _rows(name: str) -> list[dict[str, object]]:
    with gzip.open(data_folder() / "sumo-kb" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as source:
        return [json.loads(line) for line in source]
