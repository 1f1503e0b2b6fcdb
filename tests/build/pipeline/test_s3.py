"""A feed whose files and whose lake lie on an object store, also one that refuses, is slow or loses its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.build.pipeline.made_up_feed import feed, ticket
from tests.stores.s3_server import SERVERS, Proxy, Rule, faulty, keys_of_this_test, s3_server

from noria.build import run_feed
from noria.connect.sources.files import FileSource
from noria.errors import OutsideError
from noria.stores.lake import Lake
from noria.stores.lake.care import verify
from noria.stores.objects import s3

BUCKET = "helpdesk"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_server(request.param, tmp_path_factory.mktemp("s3")) as port:
        yield port


class Inbox:
    """Files in a bucket, written past the proxy."""

    def __init__(self, client, folder: str) -> None:
        self.client, self.folder = client, folder

    def put(self, name: str, numbers: range, day: int) -> None:
        lines = "".join(json.dumps(ticket(n, day, n)) + "\n" for n in numbers)
        self.client.put_object(Bucket=BUCKET, Key=f"{self.folder}/in/{name}", Body=lines.encode())

    def source(self) -> FileSource:
        return FileSource(f"s3://{BUCKET}/{self.folder}/in/*.jsonl")


@pytest.fixture
def inbox(server: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Inbox:
    import boto3

    keys_of_this_test(monkeypatch, server)
    client = boto3.client("s3", region_name="eu-central-1")
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return Inbox(client, "t" + str(abs(hash(request.node.name))))


@pytest.fixture
def proxy(inbox: Inbox, server: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(s3, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(s3, "_TRIES", 4)
    with faulty(server) as controls:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{controls.port}")
        yield controls


def rows_add_up(lake: Lake, n_rows: int) -> None:
    """Every version is whole, each key is in one table once, and a rebuild gives the same."""
    assert [c.fault for c in verify(lake) if c.fault] == []
    ids = [i for kind in ("clean", "quarantine") for i in lake.read_table(kind, "tickets")[1]["id"].to_pylist()]
    assert len(ids) == len(set(ids)) == n_rows
    now = [lake.resolve(kind, "tickets") for kind in ("clean", "quarantine")]
    again = run_feed(lake, feed(), None, time_ms=99, rebuild=True)
    assert [v.sha256 for v in now] == [v.sha256 for v in (again.clean, again.quarantine)]


def test_files_of_a_bucket_are_read_once_and_again_when_they_change(inbox: Inbox) -> None:
    lake = Lake(f"s3://{BUCKET}/{inbox.folder}/lake")
    inbox.put("a.jsonl", range(60), 1)
    assert run_feed(lake, feed(), inbox.source(), time_ms=1).counts["new"] == 60
    inbox.put("b.jsonl", range(60, 90), 2)
    second = run_feed(lake, feed(), inbox.source(), time_ms=2)
    assert (second.counts["read"], second.counts["files_known"]) == (30, 1)
    inbox.put("a.jsonl", range(61), 3)
    assert run_feed(lake, feed(), inbox.source(), time_ms=3).counts["changed"] == 61
    rows_add_up(lake, 90)


def test_faults_now_and_then_cost_only_time(inbox: Inbox, proxy: Proxy) -> None:
    """Every sixth request is refused, and some commits are carried out but answered as refused."""
    lake = Lake(f"s3://{BUCKET}/{inbox.folder}/lake")
    for day in (1, 2):
        inbox.put(f"{day}.jsonl", range(30 * day - 5, 30 * day + 30), day)
        proxy.fail(Rule("503", every=6), Rule("lost", "_delta_log", ("PUT",), every=3))
        assert run_feed(lake, feed(), inbox.source(), time_ms=day).status == "published"
        assert proxy.faults() > 3
    proxy.fail()
    rows_add_up(lake, 65)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "parts"), [("503", ("/raw/", "/clean/", "/quarantine/", "/receipts/")), ("slow", ("/clean/",))]
)
def test_a_store_that_goes_away_in_a_run_leaves_the_last_version_and_the_next_run_heals(
    inbox: Inbox, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, fault: str, parts: tuple[str, ...]
) -> None:
    """Whichever table is being written."""
    monkeypatch.setattr(s3, "_TRIES", 1)
    monkeypatch.setattr(s3, "TIMEOUT_S", 0.5)
    lake = Lake(f"s3://{BUCKET}/{inbox.folder}/lake")
    inbox.put("1.jsonl", range(40), 1)
    published = run_feed(lake, feed(), inbox.source(), time_ms=1)
    for day, part in enumerate(parts, start=2):
        inbox.put(f"{day}.jsonl", range(30 * day, 30 * day + 12), day)
        proxy.fail(Rule(fault, part, ("PUT",)))
        with pytest.raises(OutsideError) as caught:
            run_feed(lake, feed(), inbox.source(), time_ms=day)
        assert caught.value.retry_helps
        proxy.fail()
        assert [c.fault for c in verify(lake) if c.fault] == []
    healed = run_feed(lake, feed(), inbox.source(), time_ms=9)
    assert (healed.status, healed.run) == ("published", published.run + 1)
    rows_add_up(lake, 40 + 12 * len(parts))
