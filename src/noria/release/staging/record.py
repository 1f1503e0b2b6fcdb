"""What the ledger keeps of a challenger's steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

from noria.records import Check, LedgerEntry, LedgerKind, Release
from noria.records.serving.staging import Challenger
from noria.release.certificate import STAGE_PAIRS, as_json
from noria.release.rollout import with_certificate
from noria.release.staging.deciding import Evidence, Step

if TYPE_CHECKING:
    from noria.stores import Stores

StageEvent = Literal["enter", "advance", "release", "roll back"]
_OF_THE_GATE = ("basket_score", "champion_basket_score", "pairs", "data", "policy")


def stage_facts(challenger: Challenger, event: StageEvent) -> dict[str, Any]:
    """Where a challenger stands, as the ledger and the certificate tell it."""
    return {**challenger.to_dict(), "event": event, "stage": challenger.stage, "stages": list(challenger.shares),
            "judged": challenger.judged}  # fmt: skip


def record(
    stores: Stores,
    before: Challenger,
    after: Challenger,
    event: StageEvent,
    step: Step,
    evidence: Evidence,
    *,
    now_ms: int,
) -> LedgerEntry | None:
    """Writes a step and its ledger entry in one transaction; what the gate had found goes with it.

    A release becomes live, with the gate's bounds; taking back a share is a rollback to the live release; ending a
    shadow is a refusal; another stage is a hold.
    """
    gate = judged_facts(stores, before)
    kept = {name: gate[name] for name in _OF_THE_GATE if name in gate}
    facts: dict[str, Any] = {"basket_score": 0.0, "champion_basket_score": None, **kept}
    facts["stage"] = stage_facts(before if event == "roll back" else after, event)
    facts["stage"] |= _pairs_of(stores, evidence)
    checks = [asdict(c) | {"figures": dict(c.figures)} for c in step.checks]
    kind, release = _kind(stores, before, event)
    if kind == "release":
        facts |= _as_released(gate)
        checks = [check for check in gate["checks"] if check["name"] != "stages"] + checks
    said = {"release": "promote", "rollback": "refuse"}.get(kind, kind)
    facts |= {"verdict": said, "reason": step.sentence, "checks": checks}
    about = before.candidate
    if kind == "rollback":
        live = stores.journal.release(before.against)
        facts |= {"from": before.challenger_id, "from_tag": before.candidate.tag}
        about = live.candidate
    else:
        facts = with_certificate(stores, facts, about, release=release if kind == "release" else None, time_ms=now_ms)
    return stores.journal.staging.step(
        before, after, time_ms=now_ms, kind=kind, release=release, candidate=about, evidence=facts
    )


def with_stage_check(step: Step, sentence: str) -> Step:
    """The step of a challenger that is not live yet: the sentence that says what it waits for."""
    waits = Check("stages", None, sentence)
    return replace(step, kind="hold", sentence=sentence, checks=(*step.checks, waits))


def judged_facts(stores: Stores, challenger: Challenger) -> Mapping[str, Any]:
    """The evidence of the verdict that let a challenger in; empty where there was none."""
    if challenger.judged is None:
        return {}
    return next(entry.evidence for entry in stores.journal.ledger() if entry.seq == challenger.judged)


def next_name(releases: Sequence[Release]) -> str:
    """The name of the next release."""
    return f"r{len(releases) + 1:04d}"


def _kind(stores: Stores, before: Challenger, event: StageEvent) -> tuple[LedgerKind, str | None]:
    if event == "release":
        return "release", next_name(stores.journal.releases())
    if event == "roll back":
        return ("rollback", before.against) if before.mode == "canary" else ("refuse", None)
    return "hold", None


def _as_released(gate: Mapping[str, Any]) -> dict[str, Any]:
    """The gate's bounds, now that what they were found of is live."""
    if gate.get("gate") is None:
        return {}
    return {"gate": {**gate["gate"], "moves_anchor": gate["stage"]["moves_anchor"]}}


def _pairs_of(stores: Stores, evidence: Evidence) -> dict[str, str]:
    if not evidence.pair_ids:
        return {}
    rows = [list(row) for row in zip(evidence.pair_ids, evidence.x, evidence.weight, strict=True)]
    return {"pairs": stores.blobs.put({STAGE_PAIRS: as_json(rows)})}
