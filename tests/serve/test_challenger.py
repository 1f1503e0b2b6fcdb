"""A challenger beside the live agent: whatever it does, live answers are what they are without it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.house import examples, open_stores, train

from noria.agent import Agent
from noria.errors import OutsideError, StateError
from noria.records import Article, Candidate, Query
from noria.records.access import AuditEntry
from noria.records.serving.staging import Challenger, StageUnit
from noria.records.sessions import Session
from noria.release import GatePolicy, consider, roll_out
from noria.serve import Asked, Service
from noria.serve.challenger import Routing, place_of
from noria.serve.challenger.shadow import MOST_WAITING
from noria.serve.erasure import erase_requester
from noria.stores import Stores

TEXTS = ("my printer does not work", "the vpn is broken again", "reset link fails since today", "pay slip", "hello")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Candidate]:
    """A home where r0001 is live, and a candidate with wrong labels; trained once, copied for each test."""
    folder = tmp_path_factory.mktemp("trained")
    stores = open_stores(folder)
    candidate = train(stores, examples(), time_ms=1)
    verdict = consider(stores, candidate, [], GatePolicy(margin=0.3), time_ms=1)
    roll_out(stores, candidate, verdict, time_ms=1)
    other = train(stores, examples(wrong=0.7), time_ms=2)
    stores.close()
    return folder, other


@pytest.fixture
def stores(trained: tuple[Path, Candidate], tmp_path: Path) -> Iterator[Stores]:
    folder = shutil.copytree(trained[0], tmp_path / "home")
    stores = open_stores(folder)
    yield stores
    stores.close()


@pytest.fixture
def begin(stores: Stores, trained: tuple[Path, Candidate]) -> Callable[..., Challenger]:
    """Begins the candidate with wrong labels against r0001."""

    def begin(share: float = 0.0, unit: StageUnit = "session") -> Challenger:
        made = Challenger("c0001", trained[1], (share, 1.0), unit, "r0001", 2, 2)
        stores.journal.staging.step(None, made, time_ms=2)
        return made

    return begin


@pytest.fixture
def service(stores: Stores) -> Iterator[Service]:
    service = Service(stores, time.perf_counter)
    yield service
    service.close()


def ask(service: Service, number: int, session: str = "s", account: str = "acme"):
    query = Query(f"q{number}", account, session, TEXTS[number % len(TEXTS)], number)
    return service.ask(query, f"p{number}", Asked(in_session=True)).result(10)


def in_shadow(stores: Stores, count: int, ids: list[str]):
    """Waits for so many answers in shadow."""
    for _ in range(400):
        found = stores.journal.staging.answers(ids)
        if sum(len(answers) for answers in found.values()) >= count:
            return found
        time.sleep(0.02)
    pytest.fail(f"of {count} answers in shadow there are {found}")


def test_a_challenger_answers_in_shadow_and_nothing_else_changes(stores: Stores, service: Service, begin) -> None:
    """Live answers are the same to the last bit; beside each stands what the challenger made of it."""
    before = [ask(service, n).answer for n in range(20)]
    begin()
    assert service.refresh() is False
    after = [ask(service, n) for n in range(20, 40)]
    assert [made.answer for made in after] == before
    assert {made.release for made in after} == {"r0001"}
    found = in_shadow(stores, 20, [made.prediction_id for made in after])
    own = service.beside._side.own.agent
    for made in after:
        (beside,) = found[made.prediction_id]
        expected = own.answer(made.query.text, "acme")
        assert (beside.decision, beside.intent, beside.confidence) == (
            expected.decision, expected.intent, expected.intent_confidence,
        )  # fmt: skip
        assert (beside.tag, beside.time_ms, beside.error) == (own_tag(service), made.query.time_ms, "")
        assert beside.latency_ms > 0
    assert any(found[m.prediction_id][0].intent != m.answer.intent for m in after)


def own_tag(service: Service) -> str:
    return service.beside.challenger.candidate.tag


def test_a_challenger_that_raises_costs_nothing(stores: Stores, service: Service, monkeypatch, begin) -> None:
    """In shadow its failure is written down; live answers are as before, none failed."""
    before = [ask(service, n).answer for n in range(5)]
    begin()
    service.refresh()
    break_agent(monkeypatch, service.beside._side.own.agent, ZeroDivisionError("bad weights"))
    after = [ask(service, n) for n in range(5, 10)]
    assert [made.answer for made in after] == before
    for (beside,) in in_shadow(stores, 5, [m.prediction_id for m in after]).values():
        assert (beside.decision, beside.error) == (None, "agent: ZeroDivisionError: bad weights")


def break_agent(monkeypatch, broken: Agent, error: Exception | None = None, wait: threading.Event | None = None):
    """From now on one agent raises, or hangs; others answer."""
    right = Agent.answer

    def answer(self, *arguments, **named):
        if self is broken:
            if wait is not None:
                wait.wait(20)
            if error is not None:
                raise error
        return right(self, *arguments, **named)

    monkeypatch.setattr(Agent, "answer", answer)


def test_a_challenger_that_hangs_delays_nobody_and_what_it_misses_is_counted(
    stores: Stores, service: Service, monkeypatch, begin
) -> None:
    """While it hangs on the first query, all are answered live; what does not fit its queue is dropped."""
    begin()
    service.refresh()
    wait = threading.Event()
    break_agent(monkeypatch, service.beside._side.own.agent, wait=wait)
    many = MOST_WAITING + 20
    assert all(not made.missing for made in (ask(service, n) for n in range(many)))
    assert service.beside.shadow.dropped >= many - MOST_WAITING - 1
    assert service.beside.shadow.answered == 0
    monkeypatch.setattr("noria.serve.challenger.beside.HANGS_SECONDS", 0.0)
    service.refresh()
    assert "no answer within" in stores.journal.staging.running().failure
    assert service.beside.challenger is None
    wait.set()


def test_a_canary_answers_its_share_under_its_own_name(stores: Stores, service: Service, begin) -> None:
    """Which sessions those are follows from their names; the live agent answers them in shadow, and the other way."""
    made = begin(0.3)
    service.refresh()
    asked = [ask(service, n, f"s{n}") for n in range(60)]
    for answer in asked:
        inside = place_of("c0001", "acme", answer.query.session) < 0.3
        assert answer.release == ("c0001" if inside else "r0001")
    assert 8 < sum(a.release == "c0001" for a in asked) < 30
    found = in_shadow(stores, 60, [a.prediction_id for a in asked])
    live_tag = stores.journal.release("r0001").candidate.tag
    for answer in asked:
        (beside,) = found[answer.prediction_id]
        assert beside.tag == (live_tag if answer.release == "c0001" else made.candidate.tag)
        assert stores.journal.prediction(answer.prediction_id) == answer


def test_a_session_never_switches(stores: Stores, service: Service, begin) -> None:
    """Neither when the canary begins or grows, nor in another process; new sessions follow the new share."""
    old = {f"s{n}": ask(service, n, f"s{n}").release for n in range(12)}
    made = begin(0.5)
    service.refresh()
    small = {f"t{n}": ask(service, 100 + n, f"t{n}").release for n in range(12)}
    assert set(small.values()) == {"r0001", "c0001"}
    running = stores.journal.staging.running()
    stores.journal.staging.step(running, replace(running, stage=1, since_ms=3), time_ms=3)
    service.refresh()
    other = Service(stores, time.perf_counter)
    for number, asking in enumerate((service, other)):
        again = {s: ask(asking, 1000 * (1 + number) + n, s).release for n, s in enumerate(old | small)}
        assert again == old | small
        assert ask(asking, 5000 + number, f"new{number}").release == made.challenger_id
    other.close()


def test_a_choice_is_taken_by_the_agent_that_offered_it(stores: Stores, service: Service, begin) -> None:
    """A session of the live agent chooses after a canary of all traffic began, in a process that never saw it."""
    first = replace(ask(service, 1, "old"), prediction_id="offered")
    offered = replace(first.answer, decision="clarify", choices=("printer", "vpn"), articles=())
    query = replace(first.query, query_id="offered", session="old", text="help")
    stores.journal.add_predictions([replace(first, answer=offered, query=query)])
    begin(1.0)
    other = Service(stores, time.perf_counter)
    chosen = Asked(in_session=True, choice=("offered", "printer"))
    made = other.ask(replace(query, query_id="c", text="printer"), "chosen", chosen).result(10)
    assert (made.release, made.answer.intent) == ("r0001", "printer")
    assert ask(other, 2, "new").release == "c0001"
    other.close()


def test_an_account_goes_with_all_of_its_sessions_or_none(stores: Stores, service: Service, begin) -> None:
    begin(0.5, "account")
    service.refresh()
    for place, account in enumerate(("acme", "birch", "cedar", "dune")):
        expected = "c0001" if place_of("c0001", account) < 0.5 else "r0001"
        asked = [ask(service, 10 * place + n, f"{account}{n}", account) for n in range(3)]
        assert {made.release for made in asked} == {expected}


def test_a_canary_that_raises_leaves_its_users_with_the_live_answer(
    stores: Stores, service: Service, monkeypatch, begin
) -> None:
    """They get what r0001 says, under its name; after five failures in a row it is asked no more."""
    before = [ask(service, n).answer for n in range(5)]
    made = begin(1.0)
    service.refresh()
    break_agent(monkeypatch, service.beside._side.own.agent, RuntimeError("no"))
    after = [ask(service, n, f"new{n}") for n in range(5, 10)]
    assert [a.answer for a in after] == before
    assert {a.release for a in after} == {"r0001"}
    found = in_shadow(stores, 5, [a.prediction_id for a in after])
    assert {(b.tag, b.error) for (b,) in found.values()} == {(made.candidate.tag, "agent: RuntimeError: no")}
    assert ask(service, 20, "later").release == "r0001"
    service.refresh()
    assert "5 failures one after the other" in stores.journal.staging.running().failure


def test_a_challenger_that_cannot_be_loaded_is_reported_and_not_tried_again(
    stores: Stores, service: Service, monkeypatch, begin
) -> None:
    """A damaged bundle is a failure of the challenger; a store that is out of reach just now is none."""
    begin()
    with monkeypatch.context() as patch:
        patch.setattr("noria.serve.challenger.beside.load", raising(OutsideError("S3 is away", retry_helps=True)))
        service.refresh()
        assert (service.beside.challenger, stores.journal.staging.running().failure) == (None, "")
        patch.setattr("noria.serve.challenger.beside.load", raising(StateError("damaged")))
        service.refresh()
    assert stores.journal.staging.running().failure == "it cannot be loaded: damaged"
    service.refresh()
    assert service.beside.challenger is None
    assert ask(service, 1).release == "r0001"


def raising(error: Exception):
    def load(*_):
        raise error

    return load


def test_a_challenger_ends_with_its_champion(stores: Stores, service: Service, begin) -> None:
    """Another release goes live: the challenger was compared with the one before, and is asked no more."""
    begin(1.0)
    service.refresh()
    assert ask(service, 1, "a").release == "c0001"
    stores.journal.record_release(
        kind="release", time_ms=3, release="r0002", candidate=stores.journal.release("r0001").candidate, evidence={}
    )
    assert service.refresh()
    assert ask(service, 2, "b").release == "r0002"
    assert service.beside.challenger is None


def test_what_a_person_said_in_a_canary_is_erased_with_the_rest(stores: Stores, service: Service, begin) -> None:
    """Nothing of a text is kept in shadow; predictions of a canary are emptied as any others."""
    begin(1.0)
    service.refresh()
    service.open_session(Session("acme", "s", "kim", "chat", 1)).result(10)
    made = ask(service, 1)
    assert made.release == "c0001"
    in_shadow(stores, 1, ["p1"])
    erase_requester(stores, "acme", "kim", AuditEntry("a", 1, "t", "erase", "acme", "kim"))
    assert stores.journal.prediction("p1").query.text == "[erased]"


def test_a_session_is_not_moved_where_the_journal_cannot_be_asked() -> None:
    """Nobody knows whether it began elsewhere: it stays with the live agent this time, and is looked up again."""
    answers: list[object] = [OutsideError("away", retry_helps=True), None]

    def last_release(account: str, session: str) -> str | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return None

    routing = Routing(last_release)
    challenger = Challenger("c1", None, (1.0,), "session", "r1", 0, 0)  # type: ignore[arg-type]
    query = Query("q", "acme", "s", "vpn", 1)
    assert [routing.takes(challenger, query) for _ in range(3)] == [False, True, True]
    assert answers == []


def test_places_are_spread_evenly_and_shuffled_for_each_challenger() -> None:
    """A tenth of the sessions lies below 0.1, and another tenth for another challenger."""
    first = {f"s{n}" for n in range(20_000) if place_of("c0001", "acme", f"s{n}") < 0.1}
    second = {f"s{n}" for n in range(20_000) if place_of("c0002", "acme", f"s{n}") < 0.1}
    assert 1850 < len(first) < 2150
    assert 100 < len(first & second) < 300


def test_a_challenger_shows_no_article_that_was_withdrawn(stores: Stores, service: Service, begin) -> None:
    """Articles that come from a help desk count for whoever answers, loaded before or after they came."""
    begin()
    service.refresh()
    new = Article("acme:1", "Printer", "Turn it off and on.", ("printer",), account="acme")
    assert service.beside.article("kb-printer") is not None
    service.stock([new])
    assert service.article("kb-printer") is None
    assert service.article("acme:1") == new
    again = Service(stores, time.perf_counter)
    again.beside.refresh(None)
    again.stock([new])
    again.refresh()
    assert again.beside.article("kb-printer") is None
    again.close()
