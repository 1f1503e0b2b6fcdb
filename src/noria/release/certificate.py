"""The certificate of a verdict: what was tested, on which data, with which bounds, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from noria.errors import NotFound, StateError
from noria.records import Candidate, LedgerEntry, Verdict

if TYPE_CHECKING:
    from noria.stores import Stores

FORMAT = 1
CERTIFICATE = "certificate.json"
"""The certificate's file in its blob."""
PAIRS = "pairs.json"
"""The file, in a blob of its own, of every single outcome that judged."""
STAGE_PAIRS = "stage-pairs.json"
"""The same of a challenger's step: every labelled pair, as [prediction id, difference, weight]."""


def evidence(verdict: Verdict) -> dict[str, Any]:
    """What the ledger keeps of a verdict."""
    return {
        **verdict.evidence,
        "verdict": verdict.kind,
        "reason": verdict.reason,
        "basket_score": verdict.basket_score,
        "champion_basket_score": verdict.champion_basket_score,
        "checks": [asdict(c) | {"figures": dict(c.figures)} for c in verdict.checks],
    }


def certificate(
    facts: Mapping[str, Any], *, candidate: Candidate, release: str | None, time_ms: int
) -> dict[str, Any]:  # fmt: skip
    """The certificate as plain values, the same for the same verdict.

    Args:
        facts: the verdict's evidence (see `evidence`).
        candidate: what was judged.
        release: the name under which it goes live; None where it does not.
        time_ms: when.
    """
    stage = {"stage": facts["stage"]} if "stage" in facts else {}
    return stage | {
        "format": FORMAT,
        "release": release,
        "tag": candidate.tag,
        "bundle_sha256": candidate.bundle_sha256,
        "trained_ms": candidate.created_ms,
        "judged_ms": time_ms,
        "verdict": facts["verdict"],
        "sentence": facts["reason"],
        "basket_score": facts["basket_score"],
        "champion_basket_score": facts["champion_basket_score"],
        "checks": facts["checks"],
        "gate": facts.get("gate"),
        "policy": facts.get("policy"),
        "data": facts.get("data", {"train": asdict(candidate.examples)}),
        "pairs_sha256": facts.get("pairs"),
        "recipe": dict(candidate.recipe),
    }


def read_certificate(stores: Stores, name: str) -> dict[str, Any]:
    """The certificate of a release, or of the last verdict on a tag; its bytes are held against the ledger's hash.

    Returns:
        The certificate with "ledger": number, time and hash of its entry.

    Raises:
        NotFound: no such release or tag in the ledger. StateError: the verdict was given before there were
            certificates, or the certificate was changed.
    """
    entries = [e for e in stores.journal.ledger() if e.kind != "rollback"]
    entry = _entry(entries, name)
    address = entry.evidence.get("certificate")
    if not address:
        raise StateError(
            f"{name} was judged by an older Noria, which wrote no certificate; see 'noria release ledger'."
        )
    told: dict[str, Any] = json.loads(stores.blobs.get(str(address))[CERTIFICATE])
    facts = {"seq": entry.seq, "time_ms": entry.time_ms, "hash": entry.hash, "certificate_sha256": address}
    return told | {"ledger": facts}


def as_json(value: object) -> bytes:
    """Canonical JSON: the same value gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode()


def _entry(entries: list[LedgerEntry], name: str) -> LedgerEntry:
    found = [e for e in entries if e.release == name] or [e for e in entries if e.tag == name]
    if not found:
        known = [e.release or e.tag for e in entries]
        raise NotFound("release or tag", name, known, "'noria release ledger' lists every verdict.")
    return found[-1]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | frozenset | set):
        return sorted(value) if isinstance(value, frozenset | set) else list(value)
    raise TypeError(f"a certificate cannot hold a {type(value).__name__}.")
