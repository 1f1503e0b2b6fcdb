"""One run: fit by a recipe, answer rows that were kept apart, measure. The same function on a core and on a cluster."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from noria.agent import Recipe, fit, pack
from noria.agent.calibration import LEAST_VALIDATION_ROWS, digest
from noria.agent.encoding import Encoder
from noria.agent.heads.remembered import Memory
from noria.build.experiments.measuring import measured
from noria.errors import NoriaError, UsageError
from noria.records import RESERVED_INTENTS, Article, DataVersion, Example
from noria.stores.blobs import Blobs, address_of
from noria.stores.lake import Lake

SCORED_SHARE = {"val": 0.5, "train": 0.2}
"""Share of the validation rows that is scored and never fitted on; of the training rows where those are too few."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is asked to do. `share`: of the learnt rows (a rung of pruning is below 1).

    `encoder`: spec of the encoder; "none" for none.
    """

    tag: str
    number: int
    examples: DataVersion
    articles: DataVersion | None
    settings: Mapping[str, Any]
    encoder: str = "none"
    share: float = 1.0
    with_bundle: bool = False

    def to_json(self) -> str:
        """One line that `from_json` reads."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> Task:
        told = json.loads(line)
        articles = told["articles"]
        data = {
            "examples": DataVersion(**told["examples"]),
            "articles": None if articles is None else DataVersion(**articles),
        }
        return cls(**{**told, **data})


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker works with: the lake, encoders by spec, fitted parts, CPU seconds, facts on this process."""

    lake: Lake
    blobs: Blobs
    encoder: Callable[[str], Encoder | None]
    memory: Memory | None
    clock: Callable[[], float]
    environment: Callable[[], Mapping[str, object]]
    rows: dict[tuple[str, str, int], Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task. `predictions`: gzip of JSON, see `measuring.predictions_of`; `reason`: why it failed.

    `facts`: recipe, encoder, counts and environment, for the manifest.
    """

    tag: str
    number: int
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    predictions: bytes = b""
    predictions_sha256: str = ""
    bundle_sha256: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    disk_full: bool = False

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads, in another process."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps(told | {"predictions": base64.b64encode(self.predictions).decode()}).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Outcome:
        told = json.loads(content)
        return cls(**{**told, "predictions": base64.b64decode(told["predictions"])})


def run_trial(task: Task, tools: Tools) -> Outcome:
    """Does a task; what goes wrong in it is an outcome with a reason, so that one broken run stops no other."""
    try:
        return _run(task, tools)
    except NoriaError as error:
        return Outcome(task.tag, task.number, reason=f"{type(error).__name__}: {error}")
    except OSError as error:
        full = error.errno == 28
        return Outcome(task.tag, task.number, reason=f"OSError: {error}", disk_full=full)
    except Exception as error:  # noqa: BLE001 - a sweep goes on whatever one recipe does to a library
        return Outcome(task.tag, task.number, reason=f"{type(error).__name__}: {error}")


def divided(rows: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """(rows to fit on, rows to score on) of the rows that are no test rows; by the hash of their ids alone.

    Half of the validation rows are scored where the other half still suffices to calibrate, else a fifth of the
    training rows. A row with the text of a scored one is not fitted on.
    """
    ours = [r for r in rows if r.split != "test"]
    intents = {r.intent for r in ours} - RESERVED_INTENTS
    val = [r for r in ours if r.split == "val" and r.intent not in RESERVED_INTENTS]
    split = "val" if len(val) >= 2 * max(LEAST_VALIDATION_ROWS, len(intents)) else "train"
    by_intent: dict[str, list[Example]] = {}
    for row in sorted(ours, key=lambda r: (digest(r.id), r.text)):
        if split == "train" or row.split == "val":
            by_intent.setdefault(row.intent, []).append(row)
    scored: set[str] = set()
    for members in by_intent.values():
        scored |= {r.id for r in members[: math.floor(len(members) * SCORED_SHARE[split])]}
    texts = {r.text for r in ours if r.id in scored}
    return [r for r in ours if r.id not in scored and r.text not in texts], [r for r in ours if r.id in scored]


def _run(task: Task, tools: Tools) -> Outcome:
    recipe = Recipe.from_dict(task.settings)
    learnt, scored = _rows(task, tools)
    articles = _articles(task, tools)
    if task.share < 1:
        learnt = _thinned(learnt, task.share)
    encoder = None if recipe.lineup == "ngrams" else tools.encoder(task.encoder)
    started = tools.clock()
    agent = fit(learnt, articles, recipe, encoder, memory=tools.memory)
    train_seconds = tools.clock() - started
    if agent.warnings and recipe.lineup != "ngrams" and encoder is None:
        raise UsageError(f"the line-up {recipe.lineup!r} needs an encoder: set [encoder] spec, or lineup = 'ngrams'.")
    if agent.warnings and recipe.lineup == "accurate":
        raise UsageError(f"this run would be one of another line-up: {agent.warnings[0]}")
    files = pack(agent)
    if encoder is not None:  # all at once into the memory of vectors; each is then found there
        encoder.encode([r.text for r in scored], "query")
    bundle_bytes = float(sum(map(len, files.values())))
    figures = {"train_seconds": train_seconds, "bundle_bytes": bundle_bytes}
    # vectors come from memory here, so the time of an answer would leave out what encoding takes
    clock = tools.clock if encoder is None else None
    metrics, said = measured(agent, scored, trained=learnt, figures=figures, clock=clock)
    metrics["cost.cpu_seconds"] = tools.clock() - started
    facts = {
        "recipe": recipe.to_dict(),
        "encoder": {"spec": encoder.spec, "fingerprint": encoder.fingerprint} if encoder else None,
        "learnt_rows": len(learnt),
        "scored_rows": len(scored),
        "scored_sha256": digest("\n".join(r.id for r in scored)),
        "share": task.share,
        "environment": tools.environment(),
    }
    return Outcome(
        task.tag,
        task.number,
        metrics={k: float(v) for k, v in metrics.items() if math.isfinite(v)},
        predictions=gzip.compress(said, mtime=0),
        predictions_sha256=hashlib.sha256(said).hexdigest(),
        bundle_sha256=tools.blobs.put(files) if task.with_bundle else address_of(files),
        facts=facts,
    )


def _rows(task: Task, tools: Tools) -> tuple[list[Example], list[Example]]:
    key = ("examples", task.examples.name, task.examples.version)
    if key not in tools.rows:
        _, rows = tools.lake.examples(task.examples.name, task.examples.version)
        tools.rows[key] = divided(rows)
        if not tools.rows[key][1]:
            raise UsageError(f"{task.examples.ref} has too few rows to keep some apart for scoring; add examples.")
    found: tuple[list[Example], list[Example]] = tools.rows[key]
    return found


def _articles(task: Task, tools: Tools) -> list[Article]:
    if task.articles is None:
        return []
    key = ("articles", task.articles.name, task.articles.version)
    if key not in tools.rows:
        tools.rows[key] = tools.lake.articles(task.articles.name, task.articles.version)[1]
    found: list[Article] = tools.rows[key]
    return found


def _thinned(rows: Sequence[Example], share: float) -> list[Example]:
    """A share of each intent's training rows, at least two, by the hash of their ids; validation rows all stay."""
    counts = Counter(r.intent for r in rows if r.split != "val")
    taken: Counter[str] = Counter()
    kept = set()
    for row in sorted(rows, key=lambda r: (digest(r.id), r.text)):
        if row.split == "val" or taken[row.intent] < max(2, math.ceil(counts[row.intent] * share)):
            kept.add(row.id)
            taken[row.intent] += row.split != "val"
    return [r for r in rows if r.id in kept]
