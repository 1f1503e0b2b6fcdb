"""Trains a candidate from pinned data and records it as an experiment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from noria.agent import Agent, Recipe, fit, pack
from noria.agent.encoding import Encoder
from noria.build.citations import citations_of, latest_citations
from noria.build.evaluation import score_rows
from noria.errors import DataError, Problem
from noria.records import Candidate, DataVersion, Example
from noria.stores.tracking.environment import environment_facts

if TYPE_CHECKING:
    from noria.stores import Stores


def train(
    stores: Stores,
    examples_ref: str,
    *,
    articles_ref: str | None,
    recipe: Recipe,
    time_ms: int,
    code: Mapping[str, str],
    experiment: str = "agent",
    clock: Callable[[], float],
    encoder: Encoder | None = None,
    notes: Mapping[str, str] | None = None,
) -> tuple[Candidate, Agent]:
    """Trains on a version of an examples table, pins the data, keeps the bundle and tracks the run.

    The ranking of articles learns from the citations table of the same name where there is one (see `citations`).

    Args:
        stores: lake, blobs and tracker.
        examples_ref: `NAME` or `NAME@VERSION`.
        articles_ref: the same for articles; None = the articles table of the same name where there is one.
        recipe: every setting of the agent.
        time_ms: when.
        code: facts on the code (version, git commit), tracked with the run.
        experiment: the tracker's experiment.
        clock: seconds, for the training time.
        encoder: what makes vectors of texts; None = n-grams alone, of which the agent's `warnings` tell.
        notes: further tags of the run, by which it is found.

    Raises:
        NotFound: no such table. UsageError: no such version. DataError: the examples cannot train an agent.
    """
    lake = stores.lake
    examples_at, articles_at = lake.resolve("examples", examples_ref), _articles(stores, examples_ref, articles_ref)
    _, rows = lake.examples(examples_at.name, examples_at.version)
    articles = lake.articles(articles_at.name, articles_at.version)[1] if articles_at else []
    cited_at = latest_citations(stores, examples_at.name) if articles_at else None
    started = clock()
    agent = fit(rows, articles, recipe, encoder, citations_of(stores, cited_at))
    seconds = clock() - started
    data = (examples_at, articles_at, float(sum(r.split != "test" for r in rows)))
    scores = score_rows(agent, [r for r in rows if r.split == "val"])
    kept = keep(
        stores,
        agent,
        data,
        scores,
        seconds=seconds,
        time_ms=time_ms,
        code=code,
        experiment=experiment,
        notes=notes,
        cited=cited_at,
    )
    return kept, agent


def keep(
    stores: Stores,
    agent: Agent,
    trained_on: tuple[DataVersion, DataVersion | None, float],
    scores: Mapping[str, float],
    *,
    seconds: float,
    time_ms: int,
    code: Mapping[str, str],
    experiment: str = "agent",
    notes: Mapping[str, str] | None = None,
    cited: DataVersion | None = None,
) -> Candidate:
    """Pins the data of an agent, keeps its bundle, tracks the run: it becomes a candidate.

    Args:
        stores: lake, blobs and tracker.
        agent: what was trained.
        trained_on: versions of examples and articles, and how many rows of the former were learnt from.
        scores: on the validation rows.
        seconds: of training.
        time_ms: when.
        code: facts on the code, tracked with the run.
        experiment: the tracker's experiment.
        notes: further tags of the run, by which it is found.
        cited: the version of the citations that it learnt from.
    """
    lake, recipe, (examples_at, articles_at, learnt) = stores.lake, agent.recipe, trained_on
    files = pack(agent)
    sha256 = stores.blobs.put(files)
    metrics = {"train_seconds": seconds, "train_rows": learnt}
    metrics |= {"bundle_bytes": float(sum(map(len, files.values()))), "intents": float(len(agent.intents))}
    metrics |= {f"val.{k}": v for k, v in scores.items()}
    metrics |= {k: float(v) for k, v in agent.facts.items() if k == "warm_started_rows"}
    needs = {"spec": agent.encoder.spec, "fingerprint": agent.encoder.fingerprint} if agent.encoder else {}
    tag = _tag(stores, examples_at, recipe.to_dict() | ({"encoder": needs["fingerprint"]} if needs else {}))
    data: list[tuple[str, DataVersion, str]] = [("train", examples_at, f"examples/{examples_at.name}")]
    if articles_at:
        data.append(("articles", articles_at, f"articles/{articles_at.name}"))
    if cited:
        data.append(("citations", cited, f"{cited.kind}/{cited.name}"))
    for _, version, _ in data:
        lake.pin(version, f"experiment {tag}")

    def candidate(run_id: str) -> Candidate:
        return Candidate(tag, run_id, sha256, examples_at, articles_at, recipe.to_dict(), metrics, time_ms)

    run_id = stores.tracker.record(
        experiment=experiment,
        tag=tag,
        params={k: json.dumps(v) for k, v in recipe.to_dict().items()}
        | {f"code.{k}": v for k, v in code.items()}
        | {f"encoder.{k}": v for k, v in needs.items()},
        metrics=metrics,
        data=data,
        artifacts={
            "manifest.json": files["manifest.json"],
            "bundle.txt": f"blobs/{sha256}\n".encode(),
            "environment.json": json.dumps(environment_facts(), sort_keys=True, indent=1).encode() + b"\n",
        },
        time_ms=time_ms,
        notes=notes,
        candidate=candidate,
    )
    return candidate(run_id)


def extend_examples(
    stores: Stores, name: str, rows: Sequence[Example], *, note: Mapping[str, str], time_ms: int
) -> DataVersion:
    """A new version of an examples table with the rows added; a row of a label takes the place of its earlier self.

    Rows that are there already change nothing, and then there is no new version.

    Raises:
        DataError: a row has the id of an original row, one that came from no label; those are never overwritten.
    """
    version, present = stores.lake.examples(name)
    by_id = {row.id: row for row in present}
    original = [
        r.id for r in rows if r.id in by_id and not by_id[r.id].origin.startswith("label:") and by_id[r.id] != r
    ]
    if original:
        taken = [
            Problem(f"examples/{name}", None, "id", f"{row_id!r} is the id of an original row.") for row_id in original
        ]
        raise DataError(taken, "Give the original rows other ids; nothing was written.")
    changed = any(row.id in by_id and by_id[row.id] != row for row in rows)
    if changed:
        merged = by_id | {row.id: row for row in rows}
        return stores.lake.write_examples(
            name, list(merged.values()), mode="replace", note=note, time_ms=time_ms, expect=version
        )
    return stores.lake.write_examples(name, rows, mode="append", note=note, time_ms=time_ms)


def _articles(stores: Stores, examples_ref: str, articles_ref: str | None) -> DataVersion | None:
    if articles_ref is not None:
        return stores.lake.resolve("articles", articles_ref)
    name = examples_ref.split("@", maxsplit=1)[0]
    same = [t for t in stores.lake.tables() if t.kind == "articles" and t.name == name]
    return same[0] if same else None


def _tag(stores: Stores, examples: DataVersion, settings: Mapping[str, object]) -> str:
    """`DATA-vVERSION-SETTINGS-N`: readable, and free in the tracker."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:6]
    stem = f"{examples.name}-v{examples.version}-{digest}"
    taken = stores.tracker.tags()
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
