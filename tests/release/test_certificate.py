"""Every verdict has a certificate, and the ledger's claims follow from its own figures."""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.house import WORDS, examples, open_stores, texts, train

from noria.app.certificate import certificate_page, certificate_text
from noria.app.cli import root
from noria.app.home import create_home
from noria.errors import NotFound, StateError, UsageError
from noria.records import Candidate, Example
from noria.release import GatePolicy, consider, roll_back, roll_out
from noria.release.certificate import read_certificate
from noria.release.proof import judged_before, prove
from noria.release.standing import standing
from noria.stores import Stores
from noria.stores.journal.releases import entry_hash

POLICY = GatePolicy(margin=0.2, fresh_margin=0.15, protected=["account"], min_slice=10, slice_margin=0.6, cycles=5)
LABELS = [
    Example(f"label-l{i}", f"{text} today", intent, "train", account=("acme", "bolt")[i % 2], origin=f"label:l{i}")
    for i, (text, intent) in enumerate((t, i) for i in ("vpn", "printer", "password") for t in texts(WORDS[i]))
]


def judged(stores: Stores, rows: list[Example], time_ms: int, policy: GatePolicy = POLICY) -> Candidate:
    candidate = train(stores, rows, time_ms=time_ms)
    verdict = consider(stores, candidate, LABELS, policy, time_ms=time_ms)
    if verdict.kind == "promote":
        roll_out(stores, candidate, verdict, time_ms=time_ms)
    return candidate


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """First a poor model, then a good one, a bad one that is refused, and back to the first."""
    folder = tmp_path_factory.mktemp("home")
    create_home(folder)
    stores = open_stores(folder)
    judged(stores, examples(wrong=0.5), 1)
    judged(stores, examples(), 2)
    judged(stores, examples(wrong=0.7), 3)
    roll_back(stores, None, why="a drill", time_ms=4)
    stores.close()
    return folder


@pytest.fixture
def stores(home: Path) -> Iterator[Stores]:
    stores = open_stores(home)
    yield stores
    stores.close()


def test_the_ledger_is_recomputed_from_its_own_figures(stores: Stores) -> None:
    """Graph, bounds and single outcomes; a proved gain moves the anchor, a rollback takes it back."""
    kinds = [(e.kind, e.release) for e in stores.journal.ledger()]
    assert kinds == [("release", "r0001"), ("release", "r0002"), ("refuse", None), ("rollback", "r0001")]
    proof = prove(stores)
    assert [(p.release, p.kind, p.anchor) for p in proof.graph] == [
        ("r0001", "release", "r0001"), ("r0002", "release", "r0002"), ("r0001", "rollback", "r0001"),
    ]  # fmt: skip
    assert proof.graph[0].basket_score == proof.graph[2].basket_score < proof.graph[1].basket_score
    assert proof.graph[1].fresh_labels == len(LABELS)
    assert proof.bounds == 6
    assert proof.outcomes > 3 * len(LABELS) - len(LABELS)
    assert "never fell" in proof.sentence
    assert "anchor is r0001" in proof.sentence


def test_the_standing_counts_cycles_and_what_is_spent(stores: Stores) -> None:
    """Two verdicts beside the first release, a fifth of the budget each, half of it for each bound."""
    now = standing(stores.journal.ledger())
    assert now.cycle == 2
    assert now.spent == pytest.approx(2 * 0.05 / 5)
    assert now.best_of("account acme") == "r0001"


def test_a_certificate_says_what_was_tested_on_which_data(stores: Stores) -> None:
    """Versions with hashes, n, bounds, margins, alpha, verdict: as JSON, held against the ledger."""
    told = read_certificate(stores, "r0002")
    entry = stores.journal.ledger()[1]
    assert told["ledger"]["hash"] == entry.hash
    assert (told["verdict"], told["sentence"]) == ("promote", entry.evidence["reason"])
    assert told["data"]["basket"]["name"] == "it-basket"
    assert len(told["data"]["train"]["sha256"]) == 64
    gate = told["gate"]
    assert (gate["champion"], gate["anchor"], gate["cycle"], gate["cycles"]) == ("r0001", "r0001", 1, 5)
    assert [line["slice"] for line in gate["lines"]] == ["all", "account acme", "account bolt"]
    assert gate["level"] == pytest.approx(1 - 0.05 / 5 / 2)
    assert gate["moves_anchor"]
    assert told["policy"]["margin"] == 0.2
    json.dumps(told)


def test_a_refusal_has_one_too_and_its_page_says_why_in_one_sentence(stores: Stores) -> None:
    """By its tag; the page asks for nothing outside and escapes what it shows."""
    refused = stores.journal.ledger()[2]
    told = read_certificate(stores, refused.tag)
    assert told["release"] is None
    page = certificate_page(told)
    assert re.search(r'<p class="lead">[^<.]+\.[^<]*points against the champion[^<]*</p>', page)
    assert "refused" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:)[^"'#]""", page)
    assert "default-src 'none'" in html.unescape(page)
    assert refused.evidence["reason"] in certificate_text(told)
    assert "&lt;b&gt;" in certificate_page(told | {"tag": "<b>"})


def test_an_unknown_name_has_no_certificate(stores: Stores) -> None:
    """The nearest names are told."""
    with pytest.raises(NotFound, match="r0002"):
        read_certificate(stores, "r0003")


def test_labels_that_judged_are_known_by_their_ids(stores: Stores) -> None:
    """With `fresh_once` they would not judge again: there is no label left for the next candidate."""
    spent = judged_before(stores, stores.journal.ledger())
    assert {row.id for row in LABELS} <= spent
    candidate = train(stores, [*examples(), Example("more", "vpn vpn", "vpn", "train")], time_ms=9)
    verdict = consider(stores, candidate, LABELS, GatePolicy(margin=0.2, fresh_once=True), time_ms=9)
    assert verdict.evidence["gate"]["fresh"]["n"] == 0


def test_two_candidates_judged_side_by_side_cannot_both_go_live(tmp_path: Path) -> None:
    """The second was held against a champion that is no longer live: it has to be proposed again."""
    stores = open_stores(tmp_path)
    judged(stores, examples(wrong=0.5), 1)
    one = train(stores, examples(), time_ms=2)
    other = train(stores, [*examples(), Example("more", "vpn vpn", "vpn", "train")], time_ms=2)
    verdicts = [consider(stores, candidate, LABELS, POLICY, time_ms=3) for candidate in (one, other)]
    assert [v.kind for v in verdicts] == ["promote", "promote"]
    roll_out(stores, one, verdicts[0], time_ms=4)
    with pytest.raises(UsageError, match="moved on since"):
        roll_out(stores, other, verdicts[1], time_ms=4)
    prove(stores)
    stores.close()


def test_the_command_line_shows_graph_and_certificate(home: Path, tmp_path: Path) -> None:
    """`ledger --verify` says what it recomputed; `certificate --html` writes the page."""
    page = tmp_path / "r0002.html"
    ledger = CliRunner().invoke(root, ["release", "ledger", "--verify", "--home", str(home)])
    assert ledger.exit_code == 0, ledger.output
    assert "The hash chain of 4 entries is whole. The performance graph of 3 steps is the ledger's own" in ledger.output
    shown = CliRunner().invoke(root, ["release", "certificate", "r0002", "--html", str(page), "--home", str(home)])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("Certificate of r0002: promoted")
    assert "Certificate of r0002: promoted" in page.read_text(encoding="utf-8")


def forged(home: Path, target: Path, seq: int, change: Any) -> Stores:
    """A copy of the journal in which an entry's evidence is changed and the whole chain hashed anew."""
    source, copy = sqlite3.connect(home / "journal.db"), sqlite3.connect(target / "journal.db")
    source.backup(copy)
    source.close()
    copy.row_factory = sqlite3.Row
    for trigger in copy.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        copy.execute(f"drop trigger {trigger['name']}")
    previous = "0" * 64
    for row in copy.execute("select * from ledger order by seq").fetchall():
        entry = dict(row) | {"evidence": json.loads(row["evidence"]), "previous_hash": previous}
        if entry["seq"] == seq:
            change(entry["evidence"])
        previous = entry_hash(entry)
        copy.execute("update ledger set evidence = ?, previous_hash = ?, hash = ? where seq = ?",
                     (json.dumps(entry["evidence"]), entry["previous_hash"], previous, entry["seq"]))  # fmt: skip
    copy.commit()
    copy.close()
    (target / "blobs").symlink_to(home / "blobs")
    return open_stores(target)


@pytest.mark.parametrize(
    ("seq", "change", "complaint"),
    [
        (2, lambda e: e.update(basket_score=0.99), "share of its outcomes"),
        (2, lambda e: e.update(basket_score=0.1), "the basket fell"),
        (2, lambda e: e["gate"]["lines"][0].update(lower=0.5), "computed"),
        (2, lambda e: e["gate"]["lines"][0]["anchor"].update(c=20, b=1), "computed"),
        (2, lambda e: e["gate"].update(moves_anchor=False), "moves the anchor"),
        (2, lambda e: e["gate"].update(anchor="r0007"), "as its anchor"),
        (3, lambda e: e["gate"].update(cycle=1), "as its cycle"),
        (3, lambda e: [c.update(passed=True) for c in e["checks"]], "its checks say"),
    ],
)
def test_a_forged_figure_is_found_even_with_a_whole_chain(home: Path, tmp_path: Path, seq, change, complaint) -> None:
    """Somebody who hashes the chain anew still cannot claim what the figures do not say."""
    stores = forged(home, tmp_path, seq, change)
    stores.journal.verify_ledger()
    with pytest.raises(StateError, match=complaint):
        prove(stores)
    stores.close()
