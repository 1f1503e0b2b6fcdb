"""The cache of vectors: bits come back, writers do not hinder each other, the file stays bounded."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from noria.errors import OutsideError
from noria.stores.vectors import VectorCache


def rows(first: int, count: int, dim: int = 8) -> dict[bytes, np.ndarray]:
    return {n.to_bytes(32, "big"): np.full(dim, n, np.float32) / 7 for n in range(first, first + count)}


@pytest.fixture
def cache(tmp_path) -> VectorCache:
    return VectorCache(tmp_path / "cache" / "vectors.db")


def test_vectors_come_back_bit_by_bit_to_whoever_asks_by_the_same_fingerprint(cache, tmp_path):
    kept = rows(0, 1200)
    cache.put("a", kept)
    found = VectorCache(tmp_path / "cache" / "vectors.db").get("a", [*kept, b"unknown"])
    assert found.keys() == kept.keys()
    assert all(np.array_equal(found[key], kept[key]) and found[key].dtype == np.float32 for key in kept)
    assert cache.get("b", list(kept)) == {}


def test_a_vector_that_is_there_stays(cache):
    cache.put("a", rows(1, 1))
    cache.put("a", {key: row * 0 for key, row in rows(1, 1).items()})
    assert cache.count() == 1
    assert np.array_equal(*(next(iter(found.values())) for found in (cache.get("a", list(rows(1, 1))), rows(1, 1))))


def test_the_oldest_go_when_the_file_grows_over_its_bound(tmp_path):
    cache = VectorCache(tmp_path / "v.db", max_bytes=400_000)
    for first in range(0, 1000, 50):
        cache.put("a", rows(first, 50, dim=256))
    kept = [int.from_bytes(key, "big") for key in cache.get("a", list(rows(0, 1000)))]
    assert 100 < len(kept) < 400
    assert sorted(kept) == list(range(1000 - len(kept), 1000))
    assert (tmp_path / "v.db").stat().st_size < 600_000


def test_a_bound_smaller_than_the_file_itself_keeps_nothing_and_ends(tmp_path):
    cache = VectorCache(tmp_path / "v.db", max_bytes=1)
    cache.put("a", rows(0, 5))
    assert cache.count() == 0


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_begun_anew(cache, tmp_path, content):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "vectors.db").write_bytes(content)
    cache.put("a", rows(0, 3))
    assert len(cache.get("a", list(rows(0, 3)))) == 3


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutsideError, match=r"vectors\.db"):
        VectorCache(tmp_path / "file" / "vectors.db").get("a", [])


def write(path, number):
    cache = VectorCache(path)
    for first in range(0, 200, 20):
        cache.put("a", rows(first + 100 * number, 20))
        cache.get("a", list(rows(0, 500)))


def test_processes_that_write_at_once_all_succeed(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=write, args=(tmp_path / "v.db", n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert VectorCache(tmp_path / "v.db").count() == 400
