"""The live agent answers, logs before it acknowledges, and swaps releases without a dropped query."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.house import examples, open_stores, train

from noria.errors import NoRelease, NotFound, OutsideError, StateError
from noria.records import Answer, Example, Feedback, Label, LabelTask, Query
from noria.records.access import AuditEntry
from noria.records.sessions import Session
from noria.release import GatePolicy, consider, roll_out
from noria.serve import Asked, Service
from noria.serve.erasure import erase_requester
from noria.serve.loading import Live
from noria.stores import Stores
from noria.stores.journal.journal import Entry
from noria.stores.lake.care.erasures import erased_since


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

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("bad weights")

    monkeypatch.setattr("noria.agent.Agent.answer", fail)
    made = service.ask(query(1), "p1").result(10)
    assert made.answer.decision == "handoff"
    assert "ZeroDivisionError: bad weights" in made.missing[0]
    assert stores.journal.prediction("p1").missing == made.missing
    service.close()


def test_a_release_that_is_damaged_or_does_not_answer_is_not_taken(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before goes on answering, and the next look tries again."""
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    go_live(stores, [*examples(), Example("x", "vpn gateway tunnel", "vpn", "train")], 2)
    whole = stores.blobs.get
    with monkeypatch.context() as patch:
        patch.setattr(stores.blobs, "get", lambda name: {**whole(name), "model.json": b"{}"})
        with pytest.raises(StateError, match=r"model\.json"):
            service.refresh()
    with monkeypatch.context() as patch:
        patch.setattr("noria.agent.Agent.answer", lambda *_: 1 / 0)
        with pytest.raises(StateError, match="r0002 does not answer"):
            service.refresh()
    assert service.ask(query(1), "p1").result(10).release == "r0001"
    assert service.refresh()
    assert service.ask(query(2), "p2").result(10).release == "r0002"
    service.close()


def test_an_agent_that_is_late_hands_over_and_the_prediction_says_so(stores: Stores) -> None:
    """Agents with an encoder may hang on it; also when all threads do, each query gets its reply."""
    go_live(stores, examples())
    service, hang = Service(stores, lambda: 0.0, limit_ms=50), threading.Event()

    class Hanging:
        encoder, articles = object(), ()

        def answer(self, *_: object, **__: object) -> Answer:
            assert hang.wait(30)
            return Answer("answer", "vpn", 0.9, 1.0, in_scope=True, missing=("reranker: late",))

    service._live = Live("r0001", Hanging())  # type: ignore[arg-type]
    made = [service.ask(query(n), f"p{n}") for n in range(5)]
    for n, one in enumerate(made):
        assert one.result(20).answer.decision == "handoff"
        assert one.result().missing == ("agent: late, over 50 ms",)
        assert stores.journal.prediction(f"p{n}").missing == ("agent: late, over 50 ms",)
    hang.set()
    late = service.ask(query(9), "p9").result(20)
    assert late.answer.decision in {"answer", "handoff"}
    service.close()


def test_what_an_agent_had_to_do_without_stands_in_the_prediction(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    partly = Answer("answer", "vpn", 0.9, 1.0, in_scope=True, missing=("finder: KeyError",))
    monkeypatch.setattr("noria.agent.Agent.answer", lambda *_, **__: partly)
    made = service.ask(query(1), "p1").result(10)
    assert (made.missing, made.answer.missing) == (("finder: KeyError",), ())
    assert stores.journal.prediction("p1") == made
    service.close()


def test_erasure_reaches_the_lake_and_reports_what_is_left(stores: Stores) -> None:
    """Examples that were made of the person's queries leave the tables by a new version; others stay."""
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    service.ask(query(1, "vpn of ann"), "p1", Asked(requester="ann", in_session=True)).result(10)
    service.close()
    made = replace(TASK, prediction_id="p1")
    stores.journal.add_tasks([made])
    stores.journal.add_labels([Label("l1", "t1", "p1", "eve", "in_scope", "vpn", (), helpful=None, time_ms=5)])
    rows = [
        Example("c1", "vpn of ann", "vpn", "train", origin="label:l1?task=t1&prediction=p1&annotator=eve"),
        Example("c2", "vpn of ben", "vpn", "train", origin="label:l2?task=t2&prediction=p2&annotator=eve"),
    ]
    held = stores.lake.write_examples("it", rows, mode="append", note={}, time_ms=5)
    other = stores.lake.write_examples("else", rows[1:], mode="append", note={}, time_ms=5)
    for version in (held, other):
        stores.lake.pin(version, "experiment one")
    entry = AuditEntry("a1", 9, "root", "erase", "acme", "sha256:x")
    receipt = erase_requester(stores, "acme", "ann", entry, outside_desk=True)
    assert (receipt.counts["predictions"], receipt.counts["examples"]) == (1, 1)
    assert stores.journal.prediction("p1").query.text == "[erased]"
    left = {row.id for row in stores.lake.examples("it")[1]}
    assert "c2" in left
    assert "c1" not in left
    assert any("it@" in warning for warning in receipt.warnings)
    assert any(f"{held.ref} (experiment one)" in warning for warning in receipt.warnings)
    assert "held data of a requester who was erased on 1970-01-01" in erased_since(stores.lake, held)
    assert erased_since(stores.lake, other) == ""
    assert erased_since(stores.lake, stores.lake.examples("it")[0]) == ""
    assert any("t1" in warning for warning in receipt.warnings)


TASK = LabelTask("t1", "p1", "acme", "vpn", "vpn", "answer", (), "r1", 1, "s", 1.0, 1, "d", ("vpn",), 1)


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


def test_a_session_that_the_journal_refused_for_a_moment_is_known_again_afterwards(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the same conversation would have no requester: no ticket could be made for it, nothing of it be erased."""
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    asked = Asked(requester="ann@example.org", in_session=True)

    def fails(*_: object) -> None:
        raise OutsideError("the database is away.", retry_helps=True)

    with monkeypatch.context() as away:
        away.setattr(stores.journal, "write", fails)
        with pytest.raises(OutsideError):
            service.ask(query(1), "p1", asked).result(10)
    service.ask(query(1), "p1", asked).result(10)
    assert stores.journal.sessions.session("acme", "s").requester == "ann@example.org"
    service.close()


def test_nothing_is_acknowledged_whose_session_is_not_in_the_journal(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_live(stores, examples())
    service = Service(stores, lambda: 0.0)
    write = stores.journal.write

    def without_sessions(entries: Sequence[Entry]) -> Sequence[bool]:
        if any(isinstance(entry, Session) for entry in entries):
            raise OutsideError("the database is away.", retry_helps=True)
        return write(entries)

    with monkeypatch.context() as away:
        away.setattr(stores.journal, "write", without_sessions)
        away.setattr(service._commit, "_max_batch", 1)  # the session's commit fails, the prediction's does not
        with pytest.raises(OutsideError, match="send it again with its id"):
            service.ask(query(1), "p1", Asked(requester="ann", in_session=True)).result(10)
    assert service.ask(query(1), "p1", Asked(requester="ann", in_session=True)).result(10).prediction_id == "p1"
    assert stores.journal.sessions.session("acme", "s").requester == "ann"
    service.close()
