"""A process that has loaded everything and forks one child for each command, so that a hundred kills take minutes.

It reads one JSON command a line, and answers with the pid of the child and then with how it ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.house import WORDS, examples, open_house, open_stores, texts, train

from noria.app.worker import Durable, Holding, kinds, resume_then_turn
from noria.loop import House, ReplayPolicy, replay
from noria.loop.replay import _label, _log, _People
from noria.records import DAY_MS, Answer, StreamRow
from noria.release import consider, load_agent, roll_out
from noria.stores import Stores

NOW_MS = 5 * DAY_MS


def stream(first: int, days: int) -> list[StreamRow]:
    """Forty queries a day over four intents, of which `phone` is new to the agent."""
    rows = []
    for day in range(first, first + days):
        for n in range(40):
            intent = list(WORDS)[n % 4]
            pool = texts(WORDS[intent])
            text = f"{pool[(7 * day + n) % len(pool)]} today"
            rows.append(StreamRow(f"{day:02d}-{n:03d}", day * DAY_MS + n, "acme", text, intent, f"kb-{intent}"))
    return rows


def prepare(folder: Path) -> None:
    """A home with a live release and a few turns behind it, whose next turn learns an intent and releases it."""
    stores = open_stores(folder)
    house = _house(stores)
    candidate = train(stores, examples(), time_ms=0)
    roll_out(stores, candidate, consider(stores, candidate, [], house.policy.gate, time_ms=0), time_ms=0)
    replay(house, stream(0, 2), ReplayPolicy())
    live = stores.journal.current_release()
    assert live is not None
    people, rows = _People(ReplayPolicy(), 0), stream(2, 3)
    answers: list[Answer] = load_agent(stores, live.candidate).answer_all([r.text for r in rows], ["acme"] * len(rows))
    _log(house, rows, answers, live.release, people)
    truth = {row.id: row for row in [*stream(0, 2), *rows]}
    asked = stores.journal.open_tasks(limit=1000)
    labels = [_label(task, truth[task.prediction_id], NOW_MS - 1, annotator=f"a{n}") for task in asked for n in (1, 2)]
    stores.journal.add_labels(labels)
    stores.close()


def turn(folder: Path) -> None:
    """One durable turn at a fixed time; what was interrupted goes on."""
    stores = open_stores(folder)
    house = _house(stores)
    with Holding(stores.journal.leases, lambda: time.time_ns() // 1_000_000, "worker") as held:
        durable = Durable(f"sqlite:///{folder / 'worker.db'}", kinds(house), held.fence)
        _, wrong = resume_then_turn(stores.journal, durable, now_ms=NOW_MS)
        durable.close()
    if wrong:
        raise RuntimeError(wrong)
    stores.close()


def digest(folder: Path) -> dict[str, Any]:
    """What a turn leaves behind: ledger, releases, label desk, lake, candidates, findings, outcomes of turns.

    Without the run ids of MLflow, which are random, and so without the hashes that cover them; and without receipts:
    they count what the last run of a step did, and one before it may have been killed after it had done something.
    """
    stores = open_stores(folder)
    journal, lake = stores.journal, stores.lake
    journal.verify_ledger()
    covering = {"certificate", "hash", "previous_hash"}
    ledger = [asdict(e) for e in journal.ledger()]
    for entry in ledger:
        entry["evidence"] = {k: v for k, v in entry["evidence"].items() if k not in covering}
    tables = {f"{t.kind}/{t.name}": t.version for t in lake.tables()}
    found = {
        "ledger": [{k: v for k, v in e.items() if k not in covering} for e in ledger],
        "releases": [asdict(replace(r, candidate=replace(r.candidate, run_id=""))) for r in journal.releases()],
        "tasks": [asdict(t) for t in journal.tasks(0, 2**60)],
        "settled": [asdict(j) for j in journal.judged(0, 2**60)],
        "labels": [asdict(label) for label in journal.labels(0)],
        "draw": journal.get_state("label.draw"),
        "topics": journal.get_state("update.topics"),
        "findings": [asdict(f) for f in journal.findings()],
        "turns": [(t.turn_id, t.time_ms, t.verdict, t.release) for t in journal.turns()],
        "tables": tables,
        "history": {
            name: [dict(v) for v in lake.history(*name.split("/", maxsplit=1))] for name in tables
        },
        "pins": [dict(pin) for pin in lake.pins()],
        "candidates": [asdict(replace(c, run_id="")) for c in stores.tracker.candidates()],
    }  # fmt: skip
    stores.close()
    return json.loads(json.dumps(found, sort_keys=True, default=str))  # type: ignore[no-any-return]


def _house(stores: Stores) -> House:
    return open_house(stores)


COMMANDS = {"prepare": prepare, "turn": turn}


class Zygote:
    """Runs commands in forked children."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.worker.crashing"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def start(self, command: str, folder: Path, out: Path | None = None) -> int:
        """Starts a command in a child; its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, "folder": str(folder), "out": str(out or "")}) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """How the child ended, once it has: 0, another exit code, or -signal."""
        return int(self._line())

    def run(self, command: str, folder: Path) -> None:
        """Runs a command to its end."""
        self.start(command, folder)
        assert self.end() == 0, command

    def digest(self, folder: Path) -> dict[str, Any]:
        """See `digest`."""
        out = folder.parent / f"{folder.name}.json"
        self.start("digest", folder, out)
        assert self.end() == 0
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks has died"
        return line


def killed_turn(zygote: Zygote, start: Path, folder: Path, seconds: float, rng: random.Random, most: int) -> int:
    """A turn on a copy of a home, killed up to `most` times at random moments, then run to its end; how often."""
    shutil.copytree(start, folder)
    kills = 0
    for _ in range(most):
        pid = zygote.start("turn", folder)
        time.sleep(rng.uniform(0, seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        if zygote.end() != -9:
            break
        kills += 1
    zygote.run("turn", folder)
    return kills


def _serve() -> None:
    import dbos  # noqa: F401 - loaded once, before the forks
    import mlflow  # noqa: F401 - likewise
    import sklearn.linear_model  # noqa: F401 - likewise

    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if told["command"] == "digest":
                    Path(told["out"]).write_text(json.dumps(digest(Path(told["folder"]))))
                else:
                    COMMANDS[told["command"]](Path(told["folder"]))
                code = 0
            except BaseException:  # noqa: BLE001 - it is told, and the child ends
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        status = os.waitpid(pid, 0)[1]
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
