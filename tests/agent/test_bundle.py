"""Packing and unpacking: the same bytes, the same answers, and nothing that was touched."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.agent.made_up import ARTICLES, agent, examples

from noria.agent import Recipe, bundle, fit, pack, unpack
from noria.errors import StateError
from noria.records import OOS

TEXTS = [e.text for e in examples()[::5]] + ["", "😀", "reset it", "the room of the printer", "як", "\ud800 password"]
NAMES = (
    "articles.json",
    "manifest.json",
    "model.json",
    "ngrams.json",
    "retrieval.json",
    "retrieval.safetensors",
    "weights.safetensors",
)


@cache
def packed():
    return pack(agent())


def test_the_files_are_safetensors_and_json():
    assert sorted(packed()) == list(NAMES)
    assert all(json.loads(packed()[name]) for name in NAMES if name.endswith(".json"))
    manifest = json.loads(packed()["manifest.json"])
    assert (manifest["schema"], manifest["recipe"]) == (3, Recipe().to_dict())
    assert manifest["classes"] == sorted({*agent().intents, "small_talk"})


def test_the_same_agent_gives_the_same_bytes_packed_twice_and_repacked():
    assert pack(agent()) == packed() == pack(unpack(packed()))


@given(st.text(max_size=80))
@example("my password does not open the printer")
def test_an_unpacked_agent_answers_the_same(text):
    assert unpacked().answer(text, "birch") == agent().answer(text, "birch")


@cache
def unpacked():
    return unpack(packed())


def test_an_unpacked_agent_is_the_same_in_all_it_tells():
    assert (unpacked().intents, unpacked().recipe, unpacked().facts) == (agent().intents, agent().recipe, agent().facts)
    assert unpacked().article("b-room") == ARTICLES[4]


def test_an_agent_without_foreign_rows_articles_and_small_talk_survives_too():
    rows = [r for r in examples() if r.intent in ("book_room", "door_badge")] + [
        r for r in examples() if r.intent == OOS
    ][:3]
    small = fit(rows, (), Recipe(answer_at=0.9))
    assert unpack(pack(small)).answer_all(TEXTS) == small.answer_all(TEXTS)


_OTHER_PROCESS = """
import sys, pathlib
from noria.agent import unpack
folder = pathlib.Path(sys.argv[1])
agent = unpack({p.name: p.read_bytes() for p in folder.iterdir()})
texts = eval(sys.stdin.read())
print([repr(a) for a in agent.answer_all(texts, ["birch"] * len(texts))])
print(sorted(m for m in sys.modules if m.split(".")[0] in ("sklearn", "scipy")))
"""


def test_another_process_answers_the_same_without_the_learning_libraries(tmp_path):
    for name, content in packed().items():
        (tmp_path / name).write_bytes(content)
    said = subprocess.run(
        [sys.executable, "-c", _OTHER_PROCESS, str(tmp_path)],
        input=repr(TEXTS),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert eval(said[0]) == [repr(a) for a in agent().answer_all(TEXTS, ["birch"] * len(TEXTS))]
    assert said[1] == "[]"


@given(st.sampled_from(NAMES), st.data())
def test_a_changed_byte_is_noticed(name, data):
    content = bytearray(packed()[name])
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StateError):
        unpack(packed() | {name: bytes(content)})


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(name):
    with pytest.raises(StateError, match=f"lacks {name}"):
        unpack({k: v for k, v in packed().items() if k != name})


def signed(**changes):
    """The manifest with changes, signed again as a newer or broken packer would."""
    manifest = json.loads(packed()["manifest.json"]) | changes
    del manifest["sha256"]
    digest = bundle._sha256(bundle._json(manifest))
    return packed() | {"manifest.json": bundle._json(manifest | {"sha256": digest})}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (signed(schema=4), "newer Noria.*Upgrade"),
        (signed(schema=2), "older Noria.*Train the agent again"),
        (signed(kind="noria.kettle"), "a bundle of 'noria.kettle'"),
        (signed(classes=["one"]), "does not fit together"),
        (signed(recipe={"kettle": 1}), "does not fit together"),
        (packed() | {"manifest.json": b"[]"}, "cannot be read"),
        (packed() | {"manifest.json": b"\xff"}, "cannot be read"),
        ({}, "lacks manifest.json"),
    ],
)
def test_what_is_not_a_bundle_of_ours_is_refused(files, complaint):
    with pytest.raises(StateError, match=complaint):
        unpack(files)


def test_an_unknown_part_cannot_be_packed():
    class Other:
        pass

    made = unpack(packed())
    made.scope = Other()
    with pytest.raises(TypeError, match="made by fit"):
        pack(made)
