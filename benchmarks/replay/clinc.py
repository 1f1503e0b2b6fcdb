"""The whole loop on CLINC150 with SUMO's daily volumes, arm beside arm: `python benchmarks/replay/clinc.py`.

Prints the table of docs/benchmarks-replay.md. Data: NORIA_BENCH_DATA, default ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from stream import Made, make

from noria import build, release
from noria.agent import Recipe
from noria.app.wiring import encoder_or_warning, load_encoder
from noria.connect.builtin_desk import BuiltinDesk
from noria.label import SamplingPolicy
from noria.loop import House, LoopPolicy, ReplayPolicy, replay
from noria.loop.arms import ARMS, arm_of
from noria.loop.replay import Replayed, served
from noria.records import RESERVED_INTENTS
from noria.release import GatePolicy, load_agent
from noria.stats import wilson
from noria.stores import Stores
from noria.update import UpdatePolicy
from noria.update.topics import known_topics

ROOT = Path(__file__).resolve().parents[2]
END_DAYS = 14


def main() -> None:
    """Runs the arms and prints what each came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", default="noria,ungated,monthly,oracle")
    parser.add_argument("--lineup", default="default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=float, default=150.0)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--noise", type=float, default=0.02)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    data = Path(os.environ.get("NORIA_BENCH_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "clinc150").is_dir():
        sys.exit(f"{data / 'clinc150'} not found: set NORIA_BENCH_DATA (docs/data.md says where to get the sets).")
    encoder = encoder_or_warning("minilm")[0]
    if encoder is None:
        sys.exit("no encoder: noria encoder add minilm")
    made = make(data, encoder, seed=asked.seed, queries_a_day=asked.queries)
    results = {}
    for name in asked.arms.split(","):
        started, cpu = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            results[name] = run(Path(folder), made, name, asked)
        results[name] |= {
            "seconds": round(time.perf_counter() - started),
            "cpu_seconds": round(time.process_time() - cpu),
        }
        print(name, json.dumps(results[name]), flush=True)
    print(table(results))
    if asked.out:
        asked.out.write_text(
            json.dumps({"asked": {k: str(v) for k, v in vars(asked).items()}, "arms": results}, indent=1)
        )


def table(results: dict[str, dict[str, Any]]) -> str:
    """The arms as a table, the agent left alone first."""
    lines = [
        "| rules | success, last 14 days | all days | end to no loop | labels | releases | refused | worst | CPU s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    one = next(iter(results.values()))
    lines.append(f"| no loop | {_percent(one['end_without'])} | {100 * one['whole_without']:.1f} | | 0 | 0 | 0 | | |")
    for name, arm in results.items():
        gain = 100 * (arm["end_with"]["value"] / arm["end_without"]["value"] - 1)
        lines.append(
            f"| {ARMS[name].title} | {_percent(arm['end_with'])} | {100 * arm['whole_with']:.1f} | {gain:+.0f} % "
            f"| {arm['labels']:,} | {arm['releases']} | {arm['refused']} | {100 * arm['steps']['worst_step']:+.1f} "
            f"| {arm['cpu_seconds']:,} |"
        )
    return "\n".join(lines)


def _percent(rate: dict[str, float]) -> str:
    return f"{100 * rate['value']:.1f} ({100 * rate['low']:.1f} to {100 * rate['high']:.1f})"


def run(folder: Path, made: Made, name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """One arm from the start: what it came to, by the truth of the stream."""
    stores = Stores(
        lake=folder / "lake", blobs=folder / "blobs", journal=f"sqlite:///{folder / 'journal.db'}",
        tracker=f"sqlite:///{folder / 'tracker.db'}", artifacts=folder / "artifacts",
    )  # fmt: skip
    recipe = Recipe.from_dict({"lineup": asked.lineup})
    policy = LoopPolicy(
        recipe=recipe,
        sampling=SamplingPolicy(daily_budget=asked.labels),
        update=UpdatePolicy(accept_new_intents=True, new_intent_labels=5, min_new_labels=200, min_after_finding=100),
        gate=GatePolicy(),
    )
    house = House(
        stores, BuiltinDesk(stores.journal), policy, time.perf_counter, encoders=load_encoder,
        encoder=lambda: encoder_or_warning("minilm") if asked.lineup != "ngrams" else (None, ""),
        topic_encoder=lambda: encoder_or_warning("minilm"),
    )  # fmt: skip
    try:
        start_ms = made.rows[0].time_ms // 86_400_000 * 86_400_000
        stores.lake.write_examples("clinc", made.examples, mode="append", note={}, time_ms=start_ms)
        candidate, _ = build.train(
            stores, "clinc", articles_ref=None, recipe=recipe, time_ms=start_ms, code={}, clock=time.perf_counter,
            encoder=house.encoder()[0],
        )  # fmt: skip
        verdict = release.consider(stores, candidate, [], policy.gate, time_ms=start_ms, encoders=load_encoder)
        release.roll_out(stores, candidate, verdict, time_ms=start_ms)
        found: dict[str, tuple[int, float]] = {}
        days: list[str] = []

        def watch(day: str) -> None:
            days.append(day)
            _topics(stores, made, len(days) - 1, found)

        done = replay(house, made.rows, ReplayPolicy(seed=asked.seed, label_noise=asked.noise, changes=made.changes),
                      arm=arm_of(name), progress=watch)  # fmt: skip
        return _figures(stores, made, done, found)
    finally:
        stores.close()


def _topics(stores: Stores, made: Made, today: int, found: dict[str, tuple[int, float]]) -> None:
    """Notes the first day on which topics of a withheld domain exist, and how pure those are."""
    truth = {row.id: row for row in made.rows}
    domains = {d: [0, 0] for d in made.withheld}
    for topic in known_topics(stores):
        kinds = [made.domain_of.get(truth[m].intent or "", "-") for m in topic.members]
        most = max(set(kinds), key=kinds.count)
        if most in domains:
            domains[most][0] += kinds.count(most)
            domains[most][1] += len(kinds)
    for domain, (own, every) in domains.items():
        if domain not in found and every and own / every >= 0.8:
            found[domain] = (today - made.withheld[domain], round(own / every, 3))


def _figures(stores: Stores, made: Made, done: Replayed, found: dict[str, tuple[int, float]]) -> dict[str, Any]:
    end = done.days[-END_DAYS:]
    verdicts = [t.verdict for t in done.turns]
    asked = sum(d.requests for d in end)
    return {
        "end_with": asdict(wilson(sum(d.right_with for d in end), asked)),
        "end_without": asdict(wilson(sum(d.right_without for d in end), asked)),
        "whole_with": sum(d.right_with for d in done.days) / sum(d.requests for d in done.days),
        "whole_without": sum(d.right_without for d in done.days) / sum(d.requests for d in done.days),
        "labels": done.labels,
        "releases": verdicts.count("promote"),
        "refused": verdicts.count("refuse"),
        "held": verdicts.count("hold"),
        "topics": found,
        "findings": [f.sentence for f in stores.journal.findings()],
        "steps": _steps(stores, made),
        "verdicts": [
            f"{t.turn_id} {t.verdict}: {dict(t.receipts[-2].ids).get('reason', '')}" for t in done.turns if t.verdict
        ],
        "by_week": [
            round(sum(d.right_with for d in done.days[w : w + 7]) / sum(d.requests for d in done.days[w : w + 7]), 3)
            for w in range(0, len(done.days) - 6, 7)
        ],
    }


def _steps(stores: Stores, made: Made) -> dict[str, float]:
    """By how much each release was better than the one before on all requests of the period, by the truth: extremes."""
    rows = [r for r in made.rows if r.intent and r.intent not in RESERVED_INTENTS]
    texts = list(dict.fromkeys(r.text for r in rows))
    shares = []
    for one in stores.journal.releases():
        answers = dict(zip(texts, load_agent(stores, one.candidate, load_encoder).answer_all(texts), strict=True))
        shares.append(sum(served(row, answers[row.text]) for row in rows) / len(rows))
    steps = [b - a for a, b in pairwise(shares)]
    return {"first": shares[0], "last": shares[-1], "worst_step": min(steps, default=0.0)}


if __name__ == "__main__":
    main()
