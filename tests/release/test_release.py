"""Only what is not worse goes live; every verdict is in the ledger; there is a way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house import examples, open_stores, train

from noria.errors import DataError, NotFound, StateError, UsageError
from noria.records import Example
from noria.release import GatePolicy, consider, load_agent, roll_back, roll_out
from noria.release.gate import judge
from noria.stores import Stores

POLICY = GatePolicy(margin=0.2)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(tmp_path)
    yield stores
    stores.close()


def release(stores: Stores, rows: list[Example], time_ms: int = 1, fresh: list[Example] | None = None):  # type: ignore[no-untyped-def]
    candidate = train(stores, rows, time_ms=time_ms)
    verdict = consider(stores, candidate, fresh or [], POLICY, time_ms=time_ms)
    if verdict.kind == "promote":
        roll_out(stores, candidate, verdict, time_ms=time_ms)
    return candidate, verdict


def test_a_first_model_goes_live_and_freezes_its_test_rows(stores: Stores) -> None:
    """The basket is the test rows of the first candidate; later test rows do not change it."""
    _, verdict = release(stores, examples())
    assert verdict.kind == "promote"
    _, basket = stores.lake.examples("it-basket")
    assert {r.split for r in basket} == {"test"}
    release(stores, [*examples(), Example("late", "my vpn is late", "vpn", "test")], 2)
    assert stores.lake.examples("it-basket")[1] == basket
    assert "it-basket" in {str(p["name"]) for p in stores.lake.pins()}


def test_a_worse_model_is_refused_and_the_champion_stays(stores: Stores) -> None:
    """Half of the training labels wrong: refused with the basket's figures, and written down."""
    release(stores, examples())
    worse, verdict = release(stores, examples(wrong=0.7), 2)
    assert verdict.kind == "refuse"
    assert verdict.champion_basket_score is not None
    assert verdict.basket_score < verdict.champion_basket_score
    assert "points against the champion" in verdict.reason
    live = stores.journal.current_release()
    assert live is not None
    assert live.release == "r0001"
    assert [e.kind for e in stores.journal.ledger()] == ["release", "refuse"]
    with pytest.raises(UsageError, match="not promoted"):
        roll_out(stores, worse, verdict, time_ms=3)


def test_too_small_a_basket_holds(stores: Stores) -> None:
    """An equal candidate cannot prove that it is not worse on few rows: hold, with how many more are needed."""
    release(stores, examples())
    candidate = train(stores, [*examples(), Example("more", "vpn vpn vpn", "vpn", "train")], time_ms=2)
    verdict = consider(stores, candidate, [], GatePolicy(margin=0.001), time_ms=2)
    assert verdict.kind == "hold"
    assert "more would settle it" in verdict.reason
    assert [e.kind for e in stores.journal.ledger()] == ["release", "hold"]


def test_fresh_labels_can_refuse_what_the_basket_lets_pass(stores: Stores) -> None:
    """A candidate that lost an intent of today's traffic is refused although the old basket does not know it."""
    first = [
        r for r in examples(("vpn", "printer", "password", "phone")) if not (r.intent == "phone" and r.split == "test")
    ]
    release(stores, first)
    fresh = [r for r in examples(("phone",)) if r.intent == "phone" and r.split == "train"] * 2
    fewer = [r for r in first if r.intent != "phone"]
    _, verdict = release(stores, fewer, 2, fresh)
    assert verdict.kind == "refuse"
    assert verdict.reason.startswith("Fresh labels")


def test_without_test_rows_there_is_no_release(stores: Stores) -> None:
    """A gate without a basket would be no gate: the message says what is missing."""
    rows = [r for r in examples() if r.split != "test"]
    with pytest.raises(DataError, match="split=test"):
        release(stores, rows)


def test_the_live_candidate_is_not_proposed_again(stores: Stores) -> None:
    """Proposing what is live is a slip, told as such."""
    candidate, _ = release(stores, examples())
    with pytest.raises(UsageError, match="live already"):
        consider(stores, candidate, [], POLICY, time_ms=2)


def test_roll_back_goes_to_the_release_before_and_is_written_down(stores: Stores) -> None:
    """There and back again; nothing to go back to and unknown releases are told."""
    with pytest.raises(StateError, match="no release is live"):
        roll_back(stores, None, why="", time_ms=1)
    release(stores, examples())
    with pytest.raises(StateError, match="first release"):
        roll_back(stores, None, why="", time_ms=2)
    _, verdict = release(stores, [*examples(), Example("x", "vpn gateway tunnel", "vpn", "train")], 3)
    assert verdict.kind == "promote"
    assert roll_back(stores, None, why="slow", time_ms=4).release == "r0001"
    live = stores.journal.current_release()
    assert live is not None
    assert live.release == "r0001"
    assert stores.journal.ledger()[-1].evidence["reason"] == "slow"
    with pytest.raises(UsageError, match="live already"):
        roll_back(stores, "r0001", why="", time_ms=5)
    with pytest.raises(NotFound):
        roll_back(stores, "r0009", why="", time_ms=5)
    assert roll_back(stores, None, why="again", time_ms=6).release == "r0002"
    stores.journal.verify_ledger()


def test_a_tampered_bundle_does_not_load(stores: Stores, tmp_path: Path) -> None:
    """One flipped byte in a bundle is found before it answers."""
    candidate, _ = release(stores, examples())
    [*_, victim] = sorted((tmp_path / "blobs" / candidate.bundle_sha256).iterdir())
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(bytes(content))
    with pytest.raises(StateError):
        load_agent(stores, candidate)


def test_a_model_that_cannot_answer_is_refused() -> None:
    """`loads and answers` comes before any figure."""

    class Broken:
        def answer_all(self, texts: list[str], accounts: list[str] | None = None) -> list[object]:
            raise ValueError("weights are missing")

    verdict = judge(Broken(), None, [], [], POLICY)  # type: ignore[arg-type]
    assert verdict.kind == "refuse"
    assert "weights are missing" in verdict.reason
