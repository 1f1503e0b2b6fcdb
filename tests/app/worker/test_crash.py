"""A worker that is killed at any moment of a turn leaves behind what an undisturbed turn leaves."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.worker.crashing import Zygote, killed_turn

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("NORIA_CRASH_KILLS", "25"))
"""A hundred take minutes; the outcome of a hundred stands in docs/benchmarks-replay.md."""


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.close()


def test_a_killed_turn_ends_as_an_undisturbed_one(zygote: Zygote, tmp_path: Path) -> None:
    """Ledger, releases, label desk, lake, candidates and findings are the same after any kills."""
    start, whole = tmp_path / "start", tmp_path / "whole"
    zygote.run("prepare", start)
    shutil.copytree(start, whole)
    began = time.monotonic()
    zygote.run("turn", whole)
    seconds = time.monotonic() - began
    wanted = zygote.digest(whole)
    assert wanted["turns"][0][2:] == ["promote", wanted["releases"][-1]["release"]]
    rng, kills, number = random.Random(KILLS), 0, 0
    while kills < KILLS:
        folder = tmp_path / f"home-{number}"
        killed = killed_turn(zygote, start, folder, seconds, rng, most=min(3, KILLS - kills))
        found = zygote.digest(folder)
        different = [key for key in wanted if found[key] != wanted[key]]
        assert not different, (number, killed, {key: (wanted[key], found[key]) for key in different})
        shutil.rmtree(folder)
        kills += killed
        number += 1
