"""Lake and blobs on an object store: the same promises, also where the store fails, and a refusal where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.app.noria_process import noria, noria_json
from tests.stores.s3_server import SERVERS, Proxy, Rule, faulty, keys_of_this_test, s3_server

from noria.errors import NotFound, OutsideError, StateError, UsageError
from noria.records import Example
from noria.stores.blobs import Blobs
from noria.stores.lake import Lake, Written
from noria.stores.lake.care import diff, lineage, restore_drill, vacuum, verify
from noria.stores.objects import open_objects, s3

NOW = 1_700_000_000_000


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_server(request.param, tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture
def bucket(server: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An empty bucket, and the environment that leads to it."""
    import boto3

    keys_of_this_test(monkeypatch, server)
    name = "lake-" + str(abs(hash(request.node.name)))
    where = {"LocationConstraint": "eu-central-1"}
    boto3.client("s3", region_name="eu-central-1").create_bucket(Bucket=name, CreateBucketConfiguration=where)
    return f"s3://{name}/home"


@pytest.fixture
def proxy(bucket: str, server: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The same bucket behind a proxy that fails when told to; nobody waits long for it."""
    monkeypatch.setattr(s3, "TIMEOUT_S", 1.0)
    with faulty(server) as controls:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{controls.port}")
        yield controls


def put(lake: Lake, rows: dict[str, str], mode="merge", keys=("id",)) -> Written:
    table = pa.table({"id": list(rows), "text": list(rows.values())})
    return lake.write_table("raw", "tickets", table, mode=mode, keys=keys, note={"source": "x"}, time_ms=NOW)


def ids(lake: Lake) -> list[str]:
    return sorted(lake.read_table("raw", "tickets")[1].column("id").to_pylist())


def test_a_lake_on_an_object_store_does_all_that_one_on_a_disk_does(bucket: str, tmp_path: Path) -> None:
    lake = Lake(f"{bucket}/lake")
    assert lake.tables() == []
    made = [put(lake, {"a": str(n), f"n{n}": "x"}).version for n in range(4)]
    again = Lake(f"{bucket}/lake/")
    rows = [Example("1", "text", "vpn")]
    examples = again.write_examples("it", rows, mode="append", note={}, time_ms=NOW)
    assert again.tables() == [examples, made[-1]]
    assert again.examples("it") == (examples, rows)
    lake.pin(made[1], "experiment")
    assert (diff(lake, "raw", "tickets", 1, 4).added, len(lineage(lake, made[3]))) == (3, 4)
    vacuum(lake, now_ms=time.time_ns() // 1_000_000 + 2_000, keep_hours=0, dry_run=False)
    assert [c.fault for c in verify(lake)] == ["", "", ""]
    with pytest.raises(StateError, match="cannot be read"):
        lake.read_table("raw", "tickets", 1)
    assert [c.fault for c in restore_drill(lake, tmp_path / "copy").checked] == ["", "", ""]
    assert [c.fault for c in restore_drill(Lake(tmp_path / "copy"), f"{bucket}/copy").checked] == ["", "", ""]
    with pytest.raises(NotFound, match="Did you mean 'tickets'"):
        lake.read_table("raw", "ticket")


def test_bundles_on_an_object_store(bucket: str) -> None:
    """Verified when read; a part that a crash left is completed, a changed file is noticed."""
    blobs, files = Blobs(f"{bucket}/blobs"), {"a": b"1", "b": bytes(range(256))}
    address = blobs.put(files)
    assert (blobs.put(files), blobs.get(address)) == (address, files)
    objects = open_objects(f"{bucket}/blobs")
    objects.remove(f"{address}/b")
    with pytest.raises(StateError, match="was changed"):
        blobs.get(address)
    assert blobs.get(blobs.put(files)) == files
    objects.write(f"{address}/a", b"2")
    with pytest.raises(StateError, match="was changed"):
        blobs.put(files)
    with pytest.raises(StateError, match="is missing"):
        blobs.get("0" * 64)


WRITER = """
import sys
import pyarrow as pa
from noria.stores.lake import Lake
lake, writer = Lake(sys.argv[1]), sys.argv[2]
for n in range(5):
    rows = pa.table({"id": [f"{writer}-{n}", "both"], "text": ["x", f"{writer}-{n}"]})
    lake.write_table("raw", "tickets", rows, mode="merge", keys=("id",), note={}, time_ms=0)
"""


def test_processes_that_write_one_table_lose_nothing(bucket: str) -> None:
    """Each write is one version, each version holds what it says, no row is lost."""
    command = [sys.executable, "-c", WRITER, f"{bucket}/lake"]
    writers = [subprocess.Popen([*command, str(n)], env=dict(os.environ)) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lake = Lake(f"{bucket}/lake")
    assert ids(lake) == sorted(["both", *(f"{w}-{n}" for w in range(3) for n in range(5))])
    latest = lake.resolve("raw", "tickets")
    assert (latest.version, latest.rows) == (15, 16)
    assert all(lake.verify(lake.resolve("raw", f"tickets@{v}")) for v in (1, 8, 15))


def test_a_store_that_fails_now_and_then_costs_only_time(bucket: str, proxy: Proxy) -> None:
    """Every fourth request is refused: the writes go through, once each."""
    lake = Lake(f"{bucket}/lake")
    proxy.fail(Rule("503", every=4))
    for n in range(3):
        assert put(lake, {f"{n}": "x", f"{n}b": "x"}, "append", keys=()).version.rows == 2 * n + 2
    assert Blobs(f"{bucket}/blobs").put({"a": b"1"})
    assert proxy.faults() > 10
    proxy.fail()
    assert ids(lake) == ["0", "0b", "1", "1b", "2", "2b"]
    assert all(not c.fault for c in verify(lake))


def test_a_commit_whose_answer_got_lost_is_not_made_twice(bucket: str, proxy: Proxy) -> None:
    """The store commits and answers 503; the repeated request is told "taken": rows without keys are added once."""
    lake = Lake(f"{bucket}/lake")
    put(lake, {"a": "x"}, "append", keys=())
    proxy.fail(Rule("lost", f"{2:020}.json", ("PUT",), times=1))
    written = put(lake, {"b": "x"}, "append", keys=())
    assert proxy.faults() == 1
    assert (written.new, written.version.version, ids(lake)) == (1, 2, ["a", "b"])
    assert lake.verify(written.version)


@pytest.mark.parametrize("fault", ["503", "slow"])
def test_a_store_that_stays_away_is_told_and_nothing_is_half_there(
    bucket: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The error says that trying again helps; then it does."""
    monkeypatch.setattr(s3, "_TRIES", 2)
    lake = Lake(f"{bucket}/lake")
    first = put(lake, {"a": "x"}).version
    for part in ("part-", "_delta_log"):
        proxy.fail(Rule(fault, part, ("PUT", "GET")))
        with pytest.raises(OutsideError, match="store") as caught:
            put(lake, {"a": "y"})
        assert caught.value.retry_helps
    proxy.fail()
    assert lake.resolve("raw", "tickets") == first
    assert [c.fault for c in verify(lake)] == [""]
    assert put(lake, {"a": "y"}).changed == 1


def test_a_store_that_ignores_conditions_is_refused(bucket: str, proxy: Proxy, request: pytest.FixtureRequest) -> None:
    """It would lose acknowledged commits in silence, so nothing is ever written to it."""
    if request.node.callspec.params["server"] == "seaweedfs":
        pytest.skip("SeaweedFS checks signatures, which cover the header that the proxy leaves out")
    proxy.fail(Rule("deaf"))
    with pytest.raises(StateError, match="ignores conditional writes"):
        Lake(f"{bucket}/lake")
    with pytest.raises(StateError, match="ignores conditional writes"):
        Blobs(f"{bucket}/blobs")
    proxy.fail()
    assert open_objects(bucket).names("") == []


def test_the_probe_of_conditions_survives_a_lost_answer(bucket: str, proxy: Proxy) -> None:
    """A repeated first request is told "taken" although it was ours: no reason to refuse the store."""
    proxy.fail(Rule("lost", times=1))
    assert Lake(f"{bucket}/lake").tables() == []


def test_credentials_come_from_the_chain_and_go_nowhere(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in no address, no option, no message, no object; where they are missing that is said."""
    lake = Lake(f"{bucket}/lake")
    put(lake, {"a": "x"})
    assert not any(word in str(lake.objects.options()) for word in ("AKIATEST", "quite-secret"))
    everything = b"".join(lake.objects.read(name) for name in lake.objects.names(""))
    assert b"quite-secret" not in everything
    assert b"AKIATEST" not in everything
    with pytest.raises(UsageError, match="without credentials") as caught:
        Lake("s3://AKIATEST:quite-secret@bucket/lake")
    assert "quite-secret" not in str(caught.value)
    for wrong in ("s3://", "s3://Bucket/x", "gs://bucket/x", "s3://bucket/x?key=1", "s3://bucket:80/x"):
        with pytest.raises(UsageError, match="must read s3://bucket/prefix"):
            Lake(wrong)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(OutsideError, match="NoCredentialsError; set them in the environment") as missing:
        Lake(f"{bucket}/lake")
    assert not missing.value.retry_helps


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    with pytest.raises((OutsideError, StateError), match="NoSuchBucket"):
        Lake("s3://no-such-bucket/lake")


def test_a_home_keeps_its_lake_and_bundles_where_its_settings_say(bucket: str, tmp_path: Path) -> None:
    """Commands work as with folders, and none of the two folders is made in the home."""
    home = tmp_path / "home"
    noria("init", str(home))
    (home / "noria.toml").write_text(f'[stores]\nlake = "{bucket}/lake"\nblobs = "{bucket}/blobs"\n')
    rows = tmp_path / "it.csv"
    rows.write_text("id,text,intent\n" + "".join(f"{n},my vpn {n} fails,vpn\n" for n in range(3)))
    noria("data", "add", rows, "--as", "examples", home=home)
    assert noria_json("data", "list", home=home)[0]["rows"] == 3
    assert noria_json("lake", "verify", home=home)["faults"] == 0
    assert not {"lake", "blobs"} & {path.name for path in home.iterdir()}
