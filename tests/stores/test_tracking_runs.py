"""The log of runs: what was appended is there, once, whatever crashed; columns are those of the runs."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import NotFound, OutsideError, StateError
from noria.records.experiments import ExperimentRun
from noria.stores.tracking import runs as runs_file
from noria.stores.tracking.runs import RunLog


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setattr(runs_file, "_SEGMENT", 3)


def one(number: int, experiment: str = "x", **more: object) -> ExperimentRun:
    facts = {"metrics": {"a.b": number / 7, f"only.{number}": 1.0}, "settings": {"c": [1, "ü"]}} | more
    return ExperimentRun(f"{experiment}.{number:04}", experiment, number, "finished", 10 + number, **facts)  # type: ignore[arg-type]


texts = st.text(max_size=5)
made = st.builds(
    ExperimentRun,
    tag=st.just(""),
    experiment=st.sampled_from(["a", "b"]),
    number=st.integers(0, 99),
    state=st.sampled_from(["finished", "pruned", "failed"]),
    time_ms=st.integers(0, 2**50),
    data=texts,
    settings=st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3),
    metrics=st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False), max_size=4),
    reason=texts,
)


@given(found=st.lists(made, max_size=8))
def test_runs_come_back_as_they_were_to_the_last_bit(found, tmp_path_factory):
    import dataclasses

    log = RunLog(tmp_path_factory.mktemp("log"))
    given_runs = [dataclasses.replace(run, tag=f"t{i}") for i, run in enumerate(found)]
    for run in given_runs:
        assert log.append(run)
    assert {r.tag: r for r in log.runs()} == {r.tag: r for r in given_runs}
    for run in given_runs:
        assert log.get(run.tag) == run
    assert log.columns() == sorted({n for r in given_runs for n in r.metrics})


def test_a_tag_is_kept_once_also_when_its_segment_has_been_closed(tmp_path):
    log = RunLog(tmp_path)
    for n in range(7):
        assert log.append(one(n))
    for n in range(7):
        assert not RunLog(tmp_path).append(one(n))
    assert len(log.runs("x")) == 7
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    assert log.experiments() == {"x": 7}


def test_a_table_has_the_columns_asked_for_and_none_where_a_run_lacks_one(tmp_path):
    log = RunLog(tmp_path)
    for n in range(4):
        log.append(one(n))
    table = log.table(["number", "a.b", "only.3"])
    assert table["tag"] == ["x.0000", "x.0001", "x.0002", "x.0003"]
    assert table["number"] == [0, 1, 2, 3]
    assert table["a.b"] == [n / 7 for n in range(4)]
    assert table["only.3"] == [None, None, None, 1.0]


def test_half_a_line_of_a_crash_is_forgotten(tmp_path):
    log = RunLog(tmp_path)
    log.append(one(0))
    with (tmp_path / "000001.jsonl").open("ab") as file:
        file.write(b'{"tag": "x.00')
    assert [r.tag for r in log.runs()] == ["x.0000"]
    assert log.append(one(1))
    assert [r.tag for r in RunLog(tmp_path).runs()] == ["x.0000", "x.0001"]


def test_a_crash_between_closing_a_segment_and_removing_its_text_repeats_nothing(tmp_path):
    log = RunLog(tmp_path)
    log.append(one(0))
    log.append(one(1))
    text = (tmp_path / "000001.jsonl").read_bytes()
    log.append(one(2))
    (tmp_path / "000001.jsonl").write_bytes(text)
    assert len(log.runs()) == 3
    assert log.append(one(3))
    assert len(RunLog(tmp_path).runs()) == 4


def test_a_full_disk_keeps_nothing_of_the_run_and_says_so(tmp_path, monkeypatch):
    log = RunLog(tmp_path)
    log.append(one(0))
    monkeypatch.setattr(runs_file.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutsideError, match="No space left") as told:
        log.append(one(1))
    assert told.value.retry_helps
    monkeypatch.undo()
    assert [r.tag for r in log.runs()] == ["x.0000"]


def test_a_tag_that_does_not_exist_offers_the_nearest(tmp_path):
    log = RunLog(tmp_path)
    log.append(one(0, "bank"))
    with pytest.raises(NotFound, match=r"Did you mean 'bank\.0000'"):
        log.get("bank.000")


def test_a_line_of_a_newer_version_is_refused(tmp_path):
    log = RunLog(tmp_path)
    log.append(one(0))
    path = tmp_path / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"reason"', b'"resaon"'))
    with pytest.raises(StateError, match="another version of Noria"):
        RunLog(tmp_path).runs()


def append_many(folder: str, first: int) -> None:
    log = RunLog(folder)
    for n in range(first, first + 20):
        log.append(one(n))
        log.append(one(n % 20))


def test_processes_that_append_at_once_lose_and_repeat_nothing(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=append_many, args=(str(tmp_path), 20 * i)) for i in range(3)]
    for process in others:
        process.start()
    while any(p.is_alive() for p in others):
        tags = RunLog(tmp_path).table([])["tag"]
        assert len(tags) == len(set(tags))
    for process in others:
        process.join()
        assert process.exitcode == 0
    assert sorted(RunLog(tmp_path).table([])["tag"]) == [f"x.{n:04}" for n in range(60)]


def test_delivered_runs_are_not_told_again(tmp_path):
    log = RunLog(tmp_path)
    for n in range(3):
        log.append(one(n))
    log.mark_delivered(["x.0000", "x.0002"])
    assert [r.tag for r in log.undelivered()] == ["x.0001"]
