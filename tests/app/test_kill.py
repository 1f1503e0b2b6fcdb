"""A server killed at any moment has lost nothing that it acknowledged."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path

import httpx
import pytest
from tests.app.noria_process import noria, noria_json, server

from noria.stores.journal import Journal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small home with a live release."""
    folder = tmp_path_factory.mktemp("kill")
    rows = []
    for intent, words in {"vpn": "vpn tunnel remote login", "printer": "printer paper toner jam"}.items():
        for n in range(30):
            text = f"{words.split()[n % 4]} {words.split()[(n + 1) % 4]} does not work case {n}"
            rows.append({"text": text, "intent": intent, "split": ("train", "train", "test")[n % 3]})
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    noria("init", folder / "home")
    noria("data", "add", folder / "rows.jsonl", "--as", "examples", "--name", "it", home=folder / "home")
    noria("train", "--data", "it", home=folder / "home")
    noria("release", "propose", home=folder / "home")
    return folder / "home"


@pytest.mark.parametrize("seed", range(4))
def test_nothing_acknowledged_is_lost(home: Path, seed: int) -> None:
    """Eight clients ask and say whether it helped; after SIGKILL every acknowledged id is in the journal."""
    asked: list[str] = []
    told: list[str] = []

    def client(number: int, url: str) -> None:
        with httpx.Client(base_url=url, timeout=10) as http:
            for turn in range(10_000):
                try:
                    answer = http.post("/v1/ask", json={"account": "acme", "text": f"printer jam {number} {turn}"})
                    asked.append(answer.raise_for_status().json()["prediction_id"])
                    event = {"event_id": f"{seed}-{number}-{turn}", "prediction_id": asked[-1], "kind": "helpful"}
                    http.post("/v1/feedback", json=event).raise_for_status()
                    told.append(f"{event['prediction_id']}:{event['event_id']}")
                except httpx.HTTPError:
                    return

    with server(home) as up:
        threads = [threading.Thread(target=client, args=(n, up.url)) for n in range(8)]
        for thread in threads:
            thread.start()
        while len(told) < 40:
            time.sleep(0.01)
        time.sleep(random.Random(seed).uniform(0.0, 0.7))
        up.kill()
        for thread in threads:
            thread.join(20)
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    try:
        kept = {p.prediction_id for p in journal.predictions(0, 2**62)}
        events = {f.event_id for f in journal.feedback(0, 2**62)}
    finally:
        journal.close()
    assert len(asked) >= 40
    assert set(asked) <= kept
    assert set(told) <= events


def test_the_killed_home_serves_again(home: Path) -> None:
    """After the kills the home opens as if nothing had happened."""
    assert noria_json("ask", "printer jam", home=home)["release"] == "r0001"
