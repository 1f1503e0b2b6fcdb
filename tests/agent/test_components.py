"""Parts of a package that is really installed: found by entry point, checked, packed, refused where they are absent."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from tests.agent.made_up import ARTICLES, examples
from tests.agent.toy_encoder import ToyEncoder

from noria.agent import Recipe, fit, pack, refit, unpack
from noria.agent.components import brought_encoder
from noria.agent.ranking import Citation
from noria.app import wiring
from noria.errors import StateError, UsageError
from noria.records import Example

PARTS = Path(__file__).parent.parent / "plugins" / "made_up_parts.py"
ENTRIES = {
    "encoder.letters": "Letters",
    "encoder.broken": "Shouts",
    "member.shouts": "Shouts",
    "scope.known_words": "KnownWords",
    "scope.half": "Half",
    "scope.gone": "Nowhere",
    "decision.asks": "AlwaysAsks",
    "retriever.by_hash": "ByHash",
    "ranker.longest": "LongestFirst",
}
ROWS = [r for i, r in enumerate(examples()) if i % 3 == 0]
TEXTS = [r.text for r in examples()[::11]] + ["", "😀", "MY BADGE", "zebra"]
CITATIONS = [Citation(f"{r.text} now", "a-room" if i % 2 else "a-jam") for i, r in enumerate(ROWS[:12])]
OWN = {
    "member": "shouts",
    "scope": "known_words",
    "decision": "asks",
    "retriever": "by_hash",
    "ranker": "longest",
}


def install(folder: Path, version: str = "1.2") -> None:
    """What pip would have left there."""
    shutil.copy(PARTS, folder / "noria_made_up_parts.py")
    info = folder / "noria_made_up_parts-1.2.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: noria-made-up-parts\nVersion: {version}\n")
    lines = [f"{name} = noria_made_up_parts:{found}" for name, found in ENTRIES.items()]
    (info / "entry_points.txt").write_text("\n".join(["[noria.components]", *lines]) + "\n")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("noria_made_up_parts", None)


def made(**parts):
    return fit(ROWS, ARTICLES, Recipe(**parts), ToyEncoder(), CITATIONS)


@pytest.mark.parametrize("parts", [{slot: name} for slot, name in OWN.items()] + [OWN], ids=[*OWN, "all"])
def test_a_part_of_a_package_plays_and_survives_packing(installed, parts):
    agent = made(**parts)
    files = pack(agent)
    again = unpack(files, ToyEncoder())
    assert again.answer_all(TEXTS) == agent.answer_all(TEXTS)
    assert pack(again) == files
    told = json.loads(files["manifest.json"])["components"]
    assert told == {s: {"name": n, "package": "noria-made-up-parts", "version": "1.2"} for s, n in parts.items()}
    moved = again.with_articles(ARTICLES[:2])
    assert {a.article_id for t in TEXTS for a in moved.answer(t).articles} <= {"a-badge", "a-jam"}


def test_it_does_what_it_is_made_for(installed):
    answer = made(**OWN).answer("book a meeting room")
    assert answer.decision == "clarify"
    assert len(answer.choices) == 2
    assert answer.thresholds["patience"] == answer.thresholds["scope"]
    assert "loud" in answer.scores
    assert made(ranker="longest").finder.ranker.weight[0] > 1  # citations taught it
    assert made(scope="known_words").answer("zebra zebra").scope_score == 0


def test_an_agent_without_such_parts_needs_no_package(tmp_path):
    assert json.loads(pack(made())["manifest.json"])["components"] == {}


def test_what_is_not_installed_any_more_is_named_all_at_once(installed, monkeypatch):
    files = pack(made(**OWN))
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(installed)])
    with pytest.raises(StateError, match="parts of other packages that are not here") as caught:
        unpack(files, ToyEncoder())
    for slot, name in OWN.items():
        assert f"{slot} '{name}' of noria-made-up-parts 1.2" in str(caught.value)


def test_another_version_answers_and_is_told(installed):
    files = pack(made(scope="known_words"))
    install(installed, "1.3")
    (warning,) = unpack(files, ToyEncoder()).warnings
    assert "trained with noria-made-up-parts 1.2; noria-made-up-parts 1.3 is installed" in warning


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"scope": "known_word"}, r"no scope 'known_word'.*scope.known_word.*Did you mean 'known_words'"),
        ({"scope": "half"}, r"the scope 'half' \(noria_made_up_parts:Half\) lacks load; docs/components.md"),
        ({"scope": "gone"}, r"the scope 'gone' .*cannot be loaded: AttributeError"),
        ({"ranker": "shouts"}, "no ranker 'shouts'"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(installed, parts, complaint):
    with pytest.raises(UsageError, match=complaint):
        made(**parts)


def test_what_is_made_must_be_whole_too(installed, monkeypatch):
    import noria_made_up_parts

    monkeypatch.delattr(noria_made_up_parts.KnownWords, "p_value")
    with pytest.raises(UsageError, match=r"what the scope 'known_words' made, a KnownWords, lacks p_value"):
        made(scope="known_words")


def test_an_encoder_of_a_package_is_found_by_its_spec(installed):
    encoder = wiring.load_encoder("own:letters")
    assert encoder is not None
    agent = fit(ROWS, (), Recipe(), encoder)
    assert unpack(pack(agent), wiring.load_encoder).answer_all(TEXTS) == agent.answer_all(TEXTS)
    with pytest.raises(UsageError, match="no encoder 'leters'"):
        brought_encoder("leters")
    with pytest.raises(UsageError, match=r"the encoder 'broken' cannot be made: TypeError"):
        brought_encoder("broken")


def test_a_few_rows_are_not_learnt_by_parts_that_cannot(installed):
    with pytest.raises(UsageError, match="fit it anew"):
        refit(made(decision="asks"), ROWS, [Example("n", "the lift is stuck", "lift")])
