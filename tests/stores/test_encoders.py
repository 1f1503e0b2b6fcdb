"""The shelf of encoders: whole or not at all, checked when read; and folders of somebody else's making."""

from __future__ import annotations

import json
import multiprocessing

import pytest

from noria.errors import NotFound, OutsideError, StateError, UsageError
from noria.stores.encoders import EncoderShelf, read_onnx_folder

FILES = {"encoder.onnx": b"model", "tokenizer.json": b"{}"}
FACTS = {"model": "made/up", "build": "1"}


@pytest.fixture
def shelf(tmp_path) -> EncoderShelf:
    return EncoderShelf(tmp_path / "encoders")


def test_what_is_kept_comes_back(shelf):
    assert shelf.names() == []
    shelf.put("minilm", FILES, FACTS)
    kept = shelf.get("minilm")
    assert (dict(kept.files), dict(kept.facts)) == (FILES, FACTS)
    assert shelf.names() == ["minilm"]
    assert dict(shelf.facts("minilm")) == FACTS


def test_a_new_one_takes_the_place_of_the_old_one_and_leaves_nothing_behind(shelf, tmp_path):
    shelf.put("minilm", FILES | {"old": b""}, FACTS)
    shelf.put("minilm", FILES, FACTS | {"build": "2"})
    assert dict(shelf.get("minilm").files) == FILES
    assert [path.name for path in (tmp_path / "encoders").iterdir()] == ["minilm"]


def test_what_is_not_there_is_named_with_what_is_near(shelf):
    shelf.put("minilm", FILES, FACTS)
    for ask in (shelf.get, shelf.facts, shelf.remove):
        with pytest.raises(NotFound, match=r"'minlm'.*'minilm'"):
            ask("minlm")


def test_what_is_removed_is_gone(shelf):
    shelf.put("minilm", FILES, FACTS)
    shelf.remove("minilm")
    assert shelf.names() == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", ".hidden"])
def test_a_name_that_leaves_the_shelf_is_refused(shelf, name):
    with pytest.raises(UsageError, match="cannot be the name"):
        shelf.put(name, FILES, FACTS)


@pytest.mark.parametrize("spoil", ["encoder.onnx", "tokenizer.json", "facts.json"])
def test_a_changed_file_is_refused_with_the_way_out(shelf, spoil):
    shelf.put("minilm", FILES, FACTS)
    (shelf.folder("minilm") / spoil).write_bytes(b"changed")
    with pytest.raises(StateError, match="noria encoder add minilm"):
        shelf.get("minilm")


def test_a_lost_file_is_refused(shelf):
    shelf.put("minilm", FILES, FACTS)
    (shelf.folder("minilm") / "encoder.onnx").unlink()
    with pytest.raises(StateError, match=r"encoder\.onnx"):
        shelf.get("minilm")


def test_a_shelf_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "encoders").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutsideError, match="cannot be written"):
        EncoderShelf(tmp_path / "encoders").put("minilm", FILES, FACTS)


def put_often(root):
    shelf = EncoderShelf(root)
    for _ in range(30):
        shelf.put("minilm", FILES, FACTS)


def test_processes_that_add_the_same_encoder_leave_one_that_is_whole(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=put_often, args=(tmp_path / "encoders",)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert dict(EncoderShelf(tmp_path / "encoders").get("minilm").files) == FILES


# --- Folders of somebody else's making ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(b"t")
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"m")
    return tmp_path


def test_a_bare_export_is_pooled_by_the_mean(folder):
    assert read_onnx_folder(folder) == (b"m", b"t", {"pooling": "mean", "query_prefix": "", "passage_prefix": ""})


def test_the_files_of_sentence_transformers_are_heeded(folder):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 2048}))
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert read_onnx_folder(folder)[2] == {
        "pooling": "first", "max_tokens": 512, "query_prefix": "query: ", "passage_prefix": "passage: "
    }  # fmt: skip


def test_our_own_settings_come_before_all_others(folder):
    (folder / "encoder.json").write_text(json.dumps({"settings": {"max_tokens": 64}}))
    assert read_onnx_folder(folder)[2] == {"max_tokens": 64}


def test_a_folder_that_is_no_encoder_is_refused(folder):
    with pytest.raises(UsageError, match=r"needs model\.onnx"):
        read_onnx_folder(folder / "onnx")
    (folder / "onnx" / "model.onnx_data").write_bytes(b"")
    with pytest.raises(UsageError, match="second file"):
        read_onnx_folder(folder)


def test_a_settings_file_that_cannot_be_read_is_told(folder):
    (folder / "encoder.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        read_onnx_folder(folder)
