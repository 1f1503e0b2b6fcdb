"""How well intents are told apart, and foreign queries from those in scope. Prints tables in Markdown.

python -m benchmarks.intent.run                # on validation rows, by which choices are made
python -m benchmarks.intent.run --part test    # on the test splits; once, at the end
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from benchmarks.intent import figures
from benchmarks.intent.baseline import plain
from benchmarks.intent.figures import Told, matthews, recall_at, scope_auroc, share, with_interval
from benchmarks.intent.rows import held_from, load, shots

from noria.agent import Agent, Recipe, fit, pack, refit, unpack
from noria.agent.encoding import Encoder
from noria.app.wiring import load_encoder, with_cache
from noria.records import OOS, Example

LINEUPS = ("ngrams", "fast", "default")
OUTSIDE_SHARE = 0.18
DRAWS = 5
T = TypeVar("T")


def main() -> None:
    """Reads the arguments, fits, scores, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("val", "test"), default="val")
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--only", choices=("hint3", "clinc150", "banking77", "shots", "speed"), default=None)
    chosen = parser.parse_args()
    loaded = load_encoder(chosen.encoder)
    if loaded is None:
        raise SystemExit("this benchmark needs an encoder: noria encoder add minilm")
    encoder = with_cache(loaded)
    for name, table in (("hint3", hint3), ("clinc150", clinc), ("banking77", banking), ("shots", few)):
        if chosen.only in (None, name):
            print(f"\n### {name} ({chosen.part})\n", flush=True)
            table(chosen.part, encoder)
    if chosen.only in (None, "speed"):
        print("\n### speed\n")
        speed(encoder, loaded)


def ask(agent: Agent, held: Sequence[Example]) -> Told:
    """What an agent says of rows."""
    answers = agent.answer_all([r.text for r in held])
    scores = np.array([a.scope_score for a in answers])
    return Told(
        truth=np.array([r.intent for r in held]),
        top=np.array([a.intent for a in answers]),
        score=scores,
        passed=scores >= agent.decider.thresholds["scope"],
        confidence=np.array([a.intent_confidence for a in answers]),
    )


def hint3(part: str, encoder: Encoder) -> None:
    """Real launches: learnt from designed rows, asked by real users; no out-of-scope row to learn from."""
    print("| bot | line-up | right in scope, % | scope AUROC | MCC at the default gate | in scope rejected, % |")
    print("|" + " --- |" * 6)
    for bot in ("sofmattress", "powerplay11"):
        learnt, held = held_from(load(bot), part)
        learnt = [replace(r, split=None) for r in learnt]
        told = {"plain TF-IDF + SVC": plain(learnt, held)}
        told |= {name: ask(fit(learnt, (), Recipe(lineup=name), encoder), held) for name in LINEUPS}
        for name, its in told.items():
            foreign = bool((~its.inside).any())
            scope = with_interval(scope_auroc, its, ".3f") if foreign else "–"
            cells = [share(its.right[its.inside]), scope, with_interval(matthews, its, ".3f")]
            print(f"| {bot} | {name} | {' | '.join(cells)} | {share(~its.passed[its.inside])} |", flush=True)


def clinc(part: str, encoder: Encoder) -> None:
    """150 intents; without any out-of-scope label, and with the 100 of the training split."""
    learnt, held = held_from(load("clinc150"), part)
    print(
        "| line-up | out-of-scope labels | right in scope, % | scope AUROC | oos recall at 95.3 % in scope, % ", end=""
    )
    print("| at the gate: in scope right, oos rejected, in scope rejected, % | ECE at 18 % oos, % |\n|" + " --- |" * 7)
    none = [r for r in learnt if r.intent != OOS]
    given = [r for r in learnt if r.intent != OOS or r.split == "train"]
    row("plain TF-IDF + SVC", "0", plain(none, held))
    for name in LINEUPS:
        row(name, "0", ask(fit(none, (), Recipe(lineup=name, expected_oos_share=OUTSIDE_SHARE), encoder), held))
    for gate in ("balance", "false_rejects"):
        recipe = Recipe(expected_oos_share=OUTSIDE_SHARE, gate=gate)
        row(f"default, gate {gate}", "100", ask(fit(given, (), recipe, encoder), held))


def row(name: str, labels: str, told: Told) -> None:
    """A line of the table of clinc150."""
    inside = told.inside
    gate = f"{share((told.right & told.passed)[inside])}; {share(~told.passed[~inside])}; {share(~told.passed[inside])}"
    cells = [
        share(told.right[inside]),
        with_interval(scope_auroc, told, ".3f"),
        with_interval(recall_at(0.953), told, ".1f"),
        gate,
        with_interval(figures.calibration_error(OUTSIDE_SHARE), told, ".1f") if labels != "0" else "–",
    ]
    print(f"| {name} | {labels} | {' | '.join(cells)} |", flush=True)


def banking(part: str, encoder: Encoder) -> None:
    """77 fine-grained intents."""
    learnt, held = held_from(load("banking77"), part)
    learnt = [replace(r, split=None) for r in learnt]
    print("| line-up | right, % | fit, CPU s |\n|" + " --- |" * 3)
    print(f"| plain TF-IDF + SVC | {share(plain(learnt, held).right)} | |", flush=True)
    for name in LINEUPS:
        started = time.process_time()
        agent = fit(learnt, (), Recipe(lineup=name), encoder)
        seconds = time.process_time() - started
        print(f"| {name} | {share(ask(agent, held).right)} | {seconds:.0f} |", flush=True)


def few(part: str, encoder: Encoder) -> None:
    """5 and 10 rows an intent of banking77: the mean over draws, with the range of their means."""
    every = load("banking77")
    rows, held = held_from(every, part)
    print("| rows an intent | line-up | right, %: mean of 5 draws (least–most) |\n|" + " --- |" * 3)
    for count in (5, 10):
        drawn = [shots(rows, count, seed) for seed in range(DRAWS)]
        found = {"plain TF-IDF + SVC": [plain(learnt, held).right.mean() for learnt in drawn]}
        for name in ("ngrams", "default"):
            agents = [fit(learnt, (), Recipe(lineup=name), encoder) for learnt in drawn]
            found[name] = [ask(agent, held).right.mean() for agent in agents]
        for name, shares in found.items():
            least, most = 100 * min(shares), 100 * max(shares)
            print(f"| {count} | {name} | {100 * np.mean(shares):.1f} ({least:.1f}–{most:.1f}) |", flush=True)


def speed(cached: Encoder, encoder: Encoder) -> None:
    """CPU time of our process: full fit with vectors known, loading, answers one by one, a few rows at once."""
    rows = [r for r in load("clinc150") if r.split != "test" and r.intent != OOS]
    late = min(r.intent for r in rows)
    known, new = (
        [r for r in rows if r.intent != late],
        [r for r in rows if r.intent == late and r.split == "train"][:20],
    )
    asked = [r.text for r in rows if r.split == "val"][:1000]
    print("| line-up | full fit, CPU s | bundle, MB | load, s | answer, CPU ms: p50, p99 | a new intent, CPU s |")
    print("|" + " --- |" * 6)
    for name in LINEUPS:
        cached.encode([r.text for r in rows], "query")
        (agent, fitted) = timed(lambda lineup=name: fit(known, (), Recipe(lineup=lineup), cached))
        files = pack(agent)
        loaded, loading = timed(lambda its=files: unpack(its, encoder))
        times = [1000 * timed(lambda text=text, by=loaded: by.answer(text))[1] for text in asked]
        _, learning = timed(lambda its=agent: refit(its, known, new))
        size = sum(map(len, files.values())) / 1e6
        p50, p99 = np.percentile(times, (50, 99))
        print(
            f"| {name} | {fitted:.0f} | {size:.0f} | {loading:.2f} | {p50:.2f}, {p99:.2f} | {learning:.2f} |",
            flush=True,
        )


def timed(do: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and the CPU seconds it took."""
    started = time.process_time()
    given = do()
    return given, time.process_time() - started


if __name__ == "__main__":
    main()
