"""The blob store: what is put is what is got, or an error."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.errors import OutsideError, StateError, UsageError
from noria.stores.blobs import Blobs
from noria.stores.objects.local import write_file

FILES = {"manifest.json": b"{}", "weights.safetensors": bytes(range(256))}

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
bundles = st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    return Blobs(tmp_path_factory.mktemp("blobs"))


@settings(max_examples=40, deadline=None)
@given(files=bundles, other=bundles)
def test_round_trip(shared: Blobs, files: dict[str, bytes], other: dict[str, bytes]) -> None:
    """Any files come back unchanged; two bundles share an address exactly when they are the same."""
    one, two = shared.put(files), shared.put(other)
    assert shared.get(one) == files
    assert shared.get(two) == other
    assert (one == two) == (files == other)


def test_address_is_the_content(tmp_path: Path) -> None:
    """The address depends on names and bytes only, not on the order, the store, or on how often they are put."""
    address = Blobs(tmp_path / "a").put(FILES)
    again = Blobs(tmp_path / "b")
    assert again.put(dict(reversed(FILES.items()))) == address
    assert again.put(FILES) == address
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == [address]
    # The formula, so that bundles of old homes are found by later versions.
    assert address == "b8a5b11aaf4d45ed88f9a13ce9cf62f34ebacab475d576886af7f60ef1024f3c"


def test_missing_bundle(tmp_path: Path) -> None:
    """A bundle that is not there is a state error that says what to do."""
    with pytest.raises(StateError, match=r"missing.*backup"):
        Blobs(tmp_path).get("0" * 64)


@pytest.mark.parametrize("damage", ["byte", "added", "removed", "renamed", "folder"])
def test_tampered_bundle(tmp_path: Path, damage: str) -> None:
    """Any change to a bundle is noticed, when it is read and when it is put again."""
    blobs = Blobs(tmp_path)
    address = blobs.put(FILES)
    file = tmp_path / address / "manifest.json"
    if damage == "byte":
        file.write_bytes(b"[]")
    elif damage == "added":
        (file.parent / "more.txt").write_bytes(b"")
    elif damage == "removed":
        file.unlink()
    elif damage == "renamed":
        file.rename(file.with_name("manifest2.json"))
    else:
        (file.parent / "folder").mkdir()
    with pytest.raises(StateError):
        blobs.get(address)
    with pytest.raises(StateError):
        blobs.put(FILES)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "ä", "a\n"])
def test_bad_names(tmp_path: Path, name: str) -> None:
    """A name that is not a plain file name is refused, and nothing is written."""
    with pytest.raises(UsageError, match="file of a bundle"):
        Blobs(tmp_path / "root").put({**FILES, name: b""})
    assert not (tmp_path / "root").exists()


def test_nothing_to_keep(tmp_path: Path) -> None:
    """A bundle without files is refused."""
    with pytest.raises(UsageError, match="at least one"):
        Blobs(tmp_path).put({})


@pytest.mark.parametrize("address", ["", "../../etc", "A" * 64, "0" * 63])
def test_bad_address(tmp_path: Path, address: str) -> None:
    """An address is never taken for a path."""
    with pytest.raises(UsageError, match="no address"):
        Blobs(tmp_path).get(address)


def test_refusing_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses in the middle, there is an error, no bundle and no rest; later it works."""
    blobs = Blobs(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutsideError, match="No space left"):
            blobs.put(FILES)
    assert list(tmp_path.iterdir()) == []
    assert blobs.get(blobs.put(FILES)) == FILES


def test_synced_before_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file and its folder are on disk before the bundle gets its name, and the name is after that."""
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def spy_fsync(handle: int) -> None:
        events.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def spy_rename(self: Path, target: Path) -> Any:
        events.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "rename", spy_rename)
    Blobs(tmp_path / "root").put(FILES)
    before, after = events[: events.index("rename")], events[events.index("rename") + 1 :]
    assert sorted(before[:-1]) == sorted(FILES)
    assert before[-1].startswith(".part-")
    assert after == ["root"]


def test_many_put_the_same(tmp_path: Path) -> None:
    """Threads that put the same files at once all get the address of one whole bundle."""
    blobs = Blobs(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        addresses = set(pool.map(lambda _: blobs.put(FILES), range(16)))
    assert len(addresses) == 1
    assert [p.name for p in tmp_path.iterdir()] == list(addresses)


def test_write_file_replaces_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is replaced whole, or stays as it was when the disk refuses."""
    file = tmp_path / "new" / "file.json"
    write_file(file, b"one")
    write_file(file, b"two")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(file, b"three")
    assert file.read_bytes() == b"two"
    assert [p.name for p in file.parent.iterdir()] == ["file.json"]


def test_part_of_a_crash_is_no_bundle(tmp_path: Path) -> None:
    """What a crash left half-written does not stand in the way of the same process number later."""
    blobs = Blobs(tmp_path)
    address = blobs.put(FILES)
    shutil.rmtree(tmp_path / address)
    part = tmp_path / f".part-{address[:16]}-{os.getpid()}-{threading.get_ident()}"
    part.mkdir()
    (part / "rest.bin").write_bytes(b"half")
    assert blobs.get(blobs.put(FILES)) == FILES
