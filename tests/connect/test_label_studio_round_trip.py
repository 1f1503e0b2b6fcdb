"""The whole way of labels through a real Label Studio that is killed on the way: every count adds up."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from tests.connect.faulty_road import FaultyRoad
from tests.connect.label_studio_server import RealServer, as_said
from tests.house import open_stores
from tests.stores.journal_records import NOON_MS, prediction

from noria.build import extend_examples
from noria.connect.label_studio import LabelStudioClient, LabelStudioDesk
from noria.errors import OutsideError
from noria.label import SamplingPolicy, SettlingPolicy, corrected, gather, send
from noria.label.corrections import read_provenance
from noria.records import Example, standing

pytestmark = [pytest.mark.real, pytest.mark.slow]
N = 200
SCOPE = ["printer_jam", "reset_password", "vpn_not_connecting", "vpn_slow"]
NOISE = {"ann": 0.05, "ben": 0.15, "eve": 0.30}
"""Share of answers in which an annotator names a wrong intent."""


def truth(number: int) -> tuple[str, str | None]:
    """What a query is: every tenth is outside the scope."""
    return ("irrelevant", None) if number % 10 == 9 else ("in_scope", SCOPE[number % 4])


class Annotators:
    """Three people who answer with known noise. `said`: (task id, name) → what was answered."""

    def __init__(self, server: RealServer, project: int) -> None:
        self.server, self.chance = server, random.Random(20_260_101)
        rows = server.client.tasks(project, [], size=1000, include="id,data")
        self.rows = {row["data"]["task_id"]: row["id"] for row in rows}
        self.said: dict[tuple[str, str], tuple[str, str | None]] = {}
        for name in NOISE:
            server.person(name)

    def answer(self, work: list[tuple[str, str]]) -> None:
        """Answers (task id, name) pairs, two at a time, as two browsers would."""
        for task_id, name in work:
            relevance, intent = truth(int(task_id.removeprefix("t-p")))
            if intent and self.chance.random() < NOISE[name]:
                intent = self.chance.choice([other for other in SCOPE if other != intent])
            self.said[task_id, name] = (relevance, intent)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._give, work))

    def _give(self, pair: tuple[str, str]) -> None:
        task_id, name = pair
        self.server.annotate(self.rows[task_id], as_said(*self.said[pair], helpful=True), name)


def settled_by_hand(tasks, said) -> dict[str, tuple[str, str | None] | None]:
    """Task id → the answer that more than half gave; None where there is no such answer."""
    answers = defaultdict(list)
    for (task_id, _), answer in said.items():
        answers[task_id].append(answer)
    outcome = {}
    for task in tasks:
        (top, votes), *_ = Counter(answers[task.task_id]).most_common(1)
        outcome[task.task_id] = top if votes * 2 > len(answers[task.task_id]) else None
    return outcome


@pytest.fixture
def stores(tmp_path):
    opened = open_stores(tmp_path / "stores")
    yield opened
    opened.close()


@pytest.fixture
def server(tmp_path):
    """A server of its own, for it is killed."""
    started = RealServer(tmp_path / "label-studio")
    yield started
    started.stop()


@pytest.fixture
def road(server):
    opened = FaultyRoad(urlsplit(server.running.url).netloc)
    yield opened
    opened.close()


def test_two_hundred_predictions_go_out_and_come_back_as_a_new_data_version(stores, server, road):  # noqa: PLR0915
    """Pushed, the server killed; annotated by three, synced, killed in the middle of it; settled, learnt."""
    stores.lake.write_examples(
        "helpdesk", [Example("e1", "vpn", "vpn_slow", "train")], mode="replace", note={}, time_ms=1
    )
    asked = [prediction(f"p{i}", time_ms=NOON_MS + i, text=f"query {i}", intent=SCOPE[i % 4]) for i in range(N)]
    stores.journal.add_predictions(asked)
    client = LabelStudioClient(road.url, server.token, pause_s=0.02)
    desk = LabelStudioDesk(client, stores.journal, title="Noria round trip")

    # pushed: the first lot of a hundred arrives, then the server dies under the second
    lots = iter((False, True))
    road.before = lambda call: server.kill() if "/import?" in call and next(lots, False) else None
    policy = SamplingPolicy(daily_budget=2 * N, explore_share=0, several_share=0.3, several=3)
    receipt = send(stores, desk, policy, scope=SCOPE, until_ms=NOON_MS + N, time_ms=NOON_MS + N)
    assert receipt.counts["tasks"] == N
    assert desk.report().waiting == 100
    with pytest.raises(OutsideError):
        gather(stores, desk)
    server.start_again()
    gather(stores, desk)
    assert (desk.report().waiting, desk.report().faults, desk.status().open) == (0, (), N)
    people = Annotators(server, desk.report().project)
    assert sorted(people.rows) == sorted(f"t-p{i}" for i in range(N))

    # annotated: one person a task, three where the draw says so
    tasks = stores.journal.tasks(0, 2 * NOON_MS)
    names = list(NOISE)
    work = [
        (task.task_id, name)
        for i, task in enumerate(tasks)
        for name in (names if task.annotators == 3 else [names[i % 3]])
    ]
    half = len(work) // 2
    people.answer(work[:half])

    # synced, and the server dies in the middle of reading
    pages = iter((False, True))
    road.before = lambda call: server.kill() if "fields=all" in call and next(pages, False) else None
    with pytest.raises(OutsideError) as caught:
        gather(stores, desk)
    assert caught.value.retry_helps
    assert stores.journal.labels(0) == []
    server.start_again()
    first = gather(stores, desk)
    assert first.counts["new"] == half
    people.answer(work[half:])
    second = gather(stores, desk, SettlingPolicy())
    assert second.counts["new"] == len(work) - half
    assert (second.counts["open"], gather(stores, desk).counts["new"]) == (0, 0)

    # every answer is there once, as it was given
    labels = standing(stores.journal.labels(0))
    assert len(stores.journal.labels(0)) == len(labels) == len(work)
    assert {(lab.task_id, lab.annotator): (lab.relevance, lab.intent) for lab in labels} == people.said
    assert {name: sum(lab.annotator == name for lab in labels) for name in names} == Counter(n for _, n in work)

    # settled: what more than half of three say stands, the rest is for a person to decide
    outcome = settled_by_hand(tasks, people.said)
    settled = stores.journal.judged(0, 2 * NOON_MS)
    disputed = stores.journal.judged(0, 2 * NOON_MS, "adjudicate")
    assert {j.task.task_id: (j.label.relevance, j.label.intent) for j in settled} == {
        task_id: answer for task_id, answer in outcome.items() if answer is not None
    }
    assert len(settled) + len(disputed) == N
    wrong = sum(answer != truth(int(task.removeprefix("t-p"))) for task, answer in outcome.items() if answer)
    assert 0 < wrong < N * max(NOISE.values())

    # learnt: a row for each settled task, in a new version; the old one stays as it was
    rows = corrected(settled, SCOPE)
    version = extend_examples(stores, "helpdesk", rows, note={"source": "labels"}, time_ms=NOON_MS + 2 * N)
    assert (version.version, len(stores.lake.examples("helpdesk")[1])) == (2, len(settled) + 1)
    assert len(stores.lake.examples("helpdesk", 1)[1]) == 1
    facts = [read_provenance(row.origin) for row in rows]
    assert Counter(len(fact["annotator"]) for fact in facts) == Counter(j.task.annotators for j in settled)
    assert {fact["release"] for fact in facts} == {("r0001",)}
    client.close()
