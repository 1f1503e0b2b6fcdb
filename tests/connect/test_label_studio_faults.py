"""Between Noria and a real Label Studio things go wrong: nothing is lost, nothing doubled, and it is told."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from urllib.parse import urlsplit

import pytest
from tests.connect.faulty_road import Fault, FaultyRoad
from tests.connect.label_desk_contract import desk_task
from tests.connect.label_studio_server import as_said

from noria.connect.label_studio import LabelStudioClient, LabelStudioDesk
from noria.connect.label_studio.client import outside_range
from noria.errors import OutsideError
from noria.stores.journal import Journal

real = [pytest.mark.real, pytest.mark.slow]
TITLES = count(1)
IMPORT = "POST /api/projects/[0-9]+/import"


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    yield opened
    opened.close()


@pytest.fixture
def road(label_studio):
    opened = FaultyRoad(urlsplit(label_studio.running.url).netloc)
    yield opened
    opened.close()


@pytest.fixture
def client(label_studio, road):
    made = LabelStudioClient(road.url, label_studio.token, pause_s=0.02, timeout_s=20)
    yield made
    made.close()


@pytest.fixture
def title():
    return f"Noria fault {next(TITLES)}"


@pytest.fixture
def desk(client, journal, title):
    """Without a lock, so that the server alone must keep things straight."""
    return LabelStudioDesk(client, journal, title=title)


def there(label_studio, desk) -> Counter[str]:
    """Task id → how many times it is on Label Studio."""
    rows = label_studio.client.tasks(desk.report().project, [], size=1000, include="id,data")
    return Counter(row["data"]["task_id"] for row in rows)


def once_each(number: int) -> Counter[str]:
    return Counter(f"t-p{i}" for i in range(number))


def tasks(number: int):
    return [desk_task(i) for i in range(number)]


class TestReal:
    """With the real server behind the faulty road."""

    pytestmark = real

    def test_a_server_that_is_down_delays_tasks_and_loses_none(self, desk, road, label_studio, caplog):
        road.faults = [Fault("lost", times=1000)]
        with caplog.at_level(logging.WARNING, "noria.label_studio"):
            assert desk.push(tasks(3)) == 3
        assert desk.report().waiting == 3
        assert "3 tasks wait for Label Studio" in caplog.text
        with pytest.raises(OutsideError, match="does not answer") as caught:
            desk.collect(0)
        assert caught.value.retry_helps
        road.faults = []
        assert desk.push([desk_task(2), desk_task(3)]) == 4
        assert there(label_studio, desk) == once_each(4)
        assert desk.report().waiting == 0
        assert desk.report().warnings == ()

    def test_collecting_brings_what_waited(self, desk, road, label_studio):
        road.faults = [Fault("status", IMPORT, status=503)]
        desk.push(tasks(3))
        assert desk.report().waiting == 3
        assert desk.collect(0) == []
        assert there(label_studio, desk) == once_each(3)

    def test_an_import_whose_reply_was_lost_is_not_made_again(self, desk, road, label_studio):
        road.faults = [Fault("reply lost", IMPORT)]
        desk.push(tasks(5))
        assert desk.report().waiting == 5
        assert desk.push(tasks(5)) == 0
        assert there(label_studio, desk) == once_each(5)
        assert sum("/import" in call for call in road.calls) == 1

    def test_an_import_that_arrives_after_we_gave_up_leaves_no_doubles(
        self, desk, client, road, label_studio, journal, title
    ):
        """It is slow, we ask, it is not there, we send again, and then both are there."""
        hasty = LabelStudioClient(road.url, label_studio.token, pause_s=0.02, timeout_s=2)
        road.faults = [Fault("slow", IMPORT, seconds=5)]
        LabelStudioDesk(hasty, journal, title=title).push(tasks(5))
        hasty.close()
        assert desk.report().waiting == 5
        desk.push(tasks(5))
        row = label_studio.row(desk.report().project, "t-p2")
        label_studio.annotate(row["id"], as_said("irrelevant"))
        arrived = threading.Event()
        while sum("/import" in call for call in road.calls) < 2:
            arrived.wait(0.1)
        assert there(label_studio, desk) == Counter(dict.fromkeys(once_each(5), 2))
        assert [label.task_id for label in desk.collect(0)] == ["t-p2"]
        assert there(label_studio, desk) == once_each(5)
        assert any("5 tasks were twice on Label Studio" in sentence for sentence in desk.report().warnings)

    def test_a_delivery_broken_off_in_the_middle_goes_on_where_it_stopped(self, desk, road, label_studio):
        """Lots of a hundred: one arrives, one gets lost."""
        lots = count(1)
        road.before = lambda call: (
            road.faults.append(Fault("lost", IMPORT)) if "/import?" in call and next(lots) == 2 else None
        )
        desk.push(tasks(250))
        assert desk.report().waiting == 150
        assert desk.push([]) == 150
        assert there(label_studio, desk) == once_each(250)

    def test_a_project_whose_making_was_not_heard_of_is_found_again(self, desk, road, label_studio, title):
        road.faults = [Fault("reply lost", "POST /api/projects/ ?$")]
        desk.push(tasks(1))
        desk.push(tasks(2))
        assert there(label_studio, desk) == once_each(2)
        found = label_studio.call("GET", "/api/projects/", params={"title": title})["results"]
        assert [project["title"] for project in found] == [title]

    def test_two_who_send_the_same_tasks_at_once_leave_one_of_each(self, desk, client, road, journal, title):
        """Both ask, both find nothing, both import: the worst case, without a lock."""
        desk.push([])
        desk.push([desk_task(999)])
        together = threading.Barrier(2, timeout=30)
        road.before = lambda call: together.wait() if "/import?" in call else None
        with ThreadPoolExecutor(2) as pool:
            other = LabelStudioDesk(client, journal, title=title)
            for done in [pool.submit(one.push, tasks(60)) for one in (desk, other)]:
                done.result()
        road.before = lambda call: None
        desk.collect(0)
        rows = client.tasks(desk.report().project, [], size=1000, include="id,data")
        assert Counter(row["data"]["task_id"] for row in rows) == once_each(60) + Counter({"t-p999": 1})

    def test_two_exchanges_at_once_on_a_machine_take_turns(self, client, road, journal, title, tmp_path):
        desks = [LabelStudioDesk(client, journal, title=title, lock=tmp_path / "lock") for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            new = sorted(done.result() for done in [pool.submit(one.push, tasks(20)) for one in desks])
        assert new == [0, 20]
        assert sum("/import?" in call for call in road.calls) == 1
        assert desks[0].collect(0) == []
        assert desks[0].report().warnings == ()

    def test_an_exchange_that_runs_elsewhere_is_waited_for_and_told(self, client, journal, tmp_path):
        held, release = threading.Event(), threading.Event()
        slow = LabelStudioDesk(client, journal, lock=tmp_path / "lock")

        def hold():
            with slow._alone():
                held.set()
                release.wait(30)

        holding = threading.Thread(target=hold)
        holding.start()
        held.wait(30)
        with pytest.raises(OutsideError, match="still running") as caught:
            LabelStudioDesk(client, journal, lock=tmp_path / "lock", lock_wait_s=0.2).collect(0)
        release.set()
        holding.join()
        assert caught.value.retry_helps

    def test_an_access_token_that_ran_out_is_renewed_once_for_all_threads(self, client, road):
        client.call("GET", "/api/projects/")
        client._access = client._access[:-6] + "xxxxxx"
        together = threading.Barrier(4, timeout=30)

        def ask(_):
            together.wait()
            return client.call("GET", "/api/projects/", params={"page_size": 1})["count"]

        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(ask, range(4)))) == 1
        assert sum("/api/token/refresh/" in call for call in road.calls) == 2

    def test_a_write_refused_for_an_old_token_is_sent_again(self, desk, client, label_studio):
        desk.push(tasks(1))
        client._access = client._access[:-6] + "xxxxxx"
        desk.push(tasks(2))
        assert there(label_studio, desk) == once_each(2)

    def test_a_wrong_token_is_told_without_showing_it(self, road, journal, caplog):
        secret = "eyJhbGciOiJIUzI1NiJ9.eyJzZWNyZXQiOiJ5ZXMifQ.c2lnbmF0dXJl"
        client = LabelStudioClient(road.url, secret)
        desk = LabelStudioDesk(client, journal)
        with caplog.at_level(logging.DEBUG), pytest.raises(OutsideError, match="NORIA_LABEL_STUDIO_TOKEN") as caught:
            desk.collect(0)
        assert not caught.value.retry_helps
        desk.push(tasks(1))
        assert desk.report().waiting == 1
        said = f"{caught.value}{caplog.text}{desk.report()}{vars(desk)}"
        assert secret not in said
        assert secret.split(".")[1] not in said
        client.close()

    def test_reading_is_tried_again_when_the_server_stumbles(self, desk, road, label_studio):
        desk.push(tasks(1))
        label_studio.annotate(label_studio.row(desk.report().project, "t-p0")["id"], as_said("irrelevant"))
        road.faults = [Fault("status", r"GET /api/tasks", times=2, status=502), Fault("lost", "GET /api/users")]
        assert len(desk.collect(0)) == 1

    def test_collecting_that_fails_half_way_forgets_nothing(self, desk, road, journal, label_studio):
        """The answers come with the next call: what was asked for is the caller's to remember."""
        desk.push(tasks(3))
        label_studio.annotate(label_studio.row(desk.report().project, "t-p0")["id"], as_said("irrelevant"))
        road.faults = [Fault("status", r"GET /api/tasks", times=1000, status=500)]
        with pytest.raises(OutsideError, match="500") as caught:
            desk.collect(0)
        assert caught.value.retry_helps
        road.faults = []
        assert len(desk.collect(0)) == 1

    def test_another_program_on_the_port_is_not_taken_for_label_studio(self, journal, serve_app):
        from fastapi import FastAPI

        app = FastAPI()
        app.get("/api/version/")(lambda: {"version": "1"})
        app.post("/api/token/refresh/")(lambda: {"access": "x"})
        client = LabelStudioClient(serve_app(app), "a.b.c")
        with pytest.raises(OutsideError, match="is not Label Studio"):
            LabelStudioDesk(client, journal).collect(0)
        client.close()


@pytest.mark.parametrize(
    ("version", "told"), [("1.19.0", True), ("1.20.0", False), ("1.23.2", False), ("1.24.0", True), ("2.0", True)]
)
def test_a_version_that_was_not_tested_is_told(version, told):
    assert bool(outside_range(version)) is told
