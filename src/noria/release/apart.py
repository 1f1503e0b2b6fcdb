"""Where a candidate answers unlike champion or anchor, and labels from there as evidence for the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.agent.bundle import Encoders
from noria.errors import StateError
from noria.records import Answer, Candidate, Example
from noria.release.gate import Differing
from noria.release.policy import GatePolicy
from noria.release.rollout import load_agent
from noria.release.standing import standing

if TYPE_CHECKING:
    from noria.stores import Stores


@dataclass(frozen=True, slots=True)
class Apart:
    """Labelled queries on which a candidate answers unlike champion or anchor.

    Each was drawn with the same chance from `differing` of `traffic` queries; the answers to all others are the same,
    which makes them ties without a label. champion, anchor: the releases that it was compared with.
    """

    rows: tuple[Example, ...]
    traffic: int
    differing: int
    champion: str
    anchor: str


def rivals(stores: Stores) -> tuple[str, str]:
    """The releases of champion and anchor.

    Raises:
        StateError: nothing is live.
    """
    stand = standing(stores.journal.ledger())
    if stand.champion is None:
        raise StateError("nothing is live, so there is nothing to compare with: the first release needs no comparison.")
    return stand.champion, stand.anchor or stand.champion


def differing(
    stores: Stores,
    candidate: Candidate,
    queries: Sequence[tuple[str, str]],
    encoders: Encoders | None = None,
) -> list[bool]:
    """Whether the candidate's answer to each query is unlike that of champion or anchor, in what makes it right.

    Args:
        stores: bundles and ledger.
        candidate: the candidate.
        queries: (text, account) of each (n,).
        encoders: gives the encoder of a spec.

    Raises:
        StateError: nothing is live.
    """
    texts, accounts = [text for text, _ in queries], [account for _, account in queries]

    def answers(of: Candidate) -> list[tuple[str, str]]:
        return [_gist(a) for a in load_agent(stores, of, encoders).answer_all(texts, accounts)]

    mine = answers(candidate)
    others = [answers(stores.journal.release(name).candidate) for name in sorted(set(rivals(stores)))]
    return [any(other[i] != gist for other in others) for i, gist in enumerate(mine)]


def trained_on(stores: Stores, candidate: Candidate) -> set[str]:
    """Ids of the predictions whose labels or topics the candidate learnt from: it must not be compared on them."""
    _, rows = stores.lake.examples(candidate.examples.name, candidate.examples.version)
    found = set()
    for row in rows:
        _, mark, rest = row.origin.partition("prediction=")
        if mark:
            found.add(rest.partition("&")[0])
    return found


def for_gate(apart: Apart | None, stores: Stores, policy: GatePolicy) -> Differing | None:
    """The comparison as the gate takes it, if it is with those who stand now and has labels enough to be asked."""
    if apart is None or len(apart.rows) < policy.min_fresh or (apart.champion, apart.anchor) != rivals(stores):
        return None
    return Differing(apart.rows, round(len(apart.rows) * apart.traffic / apart.differing))


def _gist(answer: Answer) -> tuple[str, str]:
    """What the rule of being right looks at (see `did_right`)."""
    return answer.decision, answer.intent
