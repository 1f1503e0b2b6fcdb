"""The live agent answers, logs before it acknowledges, and swaps releases without a dropped query."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house import examples, open_stores, train

from noria.errors import NoRelease, NotFound
from noria.records import Example, Feedback, Query
from noria.release import GatePolicy, consider, roll_out
from noria.serve import Service
from noria.stores import Stores


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(tmp_path)
    yield stores
    stores.close()


def go_live(stores: Stores, rows: list[Example], time_ms: int = 1) -> None:
    candidate = train(stores, rows, time_ms=time_ms)
    verdict = consider(stores, candidate, [], GatePolicy(margin=0.3), time_ms=time_ms)
    assert verdict.kind == "promote", verdict.reason
    roll_out(stores, candidate, verdict, time_ms=time_ms)


def query(number: int, text: str = "my printer does not work") -> Query:
    return Query(f"q{number}", "acme", "s", text, number)


def test_nobody_is_answered_before_the_first_release(stores: Stores) -> None:
    """The service opens without a release, says so, and answers as soon as there is one."""
    service = Service(stores, lambda: 0.0)
    assert service.release is None
    with pytest.raises(NoRelease):
        service.ask(query(1), "p1")
    go_live(stores, examples())
    assert service.refresh()
    assert service.ask(query(1), "p1").result(10).release == "r0001"
    service.close()


def test_what_is_acknowledged_is_in_the_journal(stores: Stores) -> None:
    """The prediction holds query, scores, thresholds and release; feedback is joined to it and counts once."""
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    made = service.ask(query(1), "p1").result(10)
    assert made == stores.journal.prediction("p1")
    assert made.answer.intent == "printer"
    assert made.answer.articles[0].article_id == "kb-printer"
    assert made.answer.thresholds
    event = Feedback("e1", "p1", "helpful", 5)
    assert service.feedback(event).result(10) is True
    assert service.feedback(event).result(10) is False
    assert [f.kind for f in stores.journal.feedback_of("p1")] == ["helpful"]
    with pytest.raises(NotFound):
        service.feedback(Feedback("e2", "nobody", "helpful", 5)).result(10)
    service.close()


def test_swapping_releases_drops_no_query(stores: Stores) -> None:
    """While four threads ask, a new release comes in: every query is answered, first by the old, then by the new."""
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    stop, answers = threading.Event(), []

    def client(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            answers.append(service.ask(query(count), f"p-{number}-{count}").result(10))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    go_live(stores, [*examples(), Example("x", "vpn gateway tunnel", "vpn", "train")], 2)
    assert service.refresh()
    while sum(a.release == "r0002" for a in answers) < 20:
        pass
    stop.set()
    for thread in threads:
        thread.join(10)
    assert {a.release for a in answers} == {"r0001", "r0002"}
    assert not any(a.missing for a in answers)
    assert len(stores.journal.predictions(0, 2**62)) == len(answers)
    service.close()


def test_a_failing_agent_hands_over_and_says_what_was_missing(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks in the agent, the user gets a person, and the journal the reason."""
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("bad weights")

    monkeypatch.setattr("noria.agent.Agent.answer", fail)
    made = service.ask(query(1), "p1").result(10)
    assert made.answer.decision == "handoff"
    assert "ZeroDivisionError: bad weights" in made.missing[0]
    assert stores.journal.prediction("p1").missing == made.missing
    service.close()


def test_serving_never_loads_the_tracker_or_the_training_libraries(stores: Stores, tmp_path: Path) -> None:
    """A process that answers imports neither MLflow nor scikit-learn nor the lake."""
    go_live(stores, examples())
    program = """
import sys, time
from pathlib import Path
from noria.app.home import open_home
from noria.app.wiring import LiveHouse
from noria.records import Query
house = LiveHouse(open_home(Path(sys.argv[1])))
print(house.service.ask(Query("q", "acme", "s", "printer", 1), "p").result(10).release)
house.close()
print([m for m in ("mlflow", "sklearn", "scipy", "deltalake") if m in sys.modules])
"""
    (tmp_path / "home.json").write_text('{"layout": 1}')
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["r0001", "[]"], done.stderr
