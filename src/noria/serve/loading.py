"""A release becomes an agent that is known to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from noria.agent import Agent, unpack
from noria.agent.bundle import Encoders
from noria.errors import StateError
from noria.records import DECISIONS, Answer, Release

if TYPE_CHECKING:
    from noria.stores import Stores

PROBES = ("warm up", "my password does not work", "?", "łódź – 你好 – مرحبا", "word " * 300)
"""Texts of all kinds; the first real query finds everything loaded."""


@dataclass(frozen=True, slots=True)
class Live:
    """The agent that answers now and the name of its release, swapped as one. tag: of its candidate."""

    release: str
    agent: Agent
    tag: str = ""
    answering: ClassVar[None] = None
    """Where its answers are waited for apart from others; None = where all are."""

    def settle(self) -> None:
        """Nothing to settle: it answers whatever it is asked."""

    def answer(self, text: str, account: str, groups: tuple[str, ...]) -> Answer:
        """The agent's answer to a reader of an account."""
        return self.agent.answer(text, account, groups, spare=True)


def load(stores: Stores, release: Release, encoders: Encoders | None) -> Live:
    """The release's agent, warm and checked: it has answered texts of all kinds, and misses none of its parts.

    Raises:
        StateError: its bundle is damaged, an encoder is not there, or it does not answer. NotFound: no such bundle.
    """
    agent = unpack(stores.blobs.get(release.candidate.bundle_sha256), encoders)
    accounts = {article.account or "" for article in agent.articles} | {""}
    for text in PROBES:
        for account in sorted(accounts)[:3]:
            try:
                answer = agent.answer(text, account)
            except Exception as error:
                raise StateError(
                    f"release {release.release} does not answer ({type(error).__name__}: {error}); the one before goes "
                    "on. Roll back, or train anew."
                ) from error
            if answer.decision not in DECISIONS or answer.missing:
                raise StateError(
                    f"release {release.release} answers without {', '.join(answer.missing) or 'a decision'}; the one "
                    "before goes on. Bring back what is missing, roll back, or train anew."
                )
    return Live(release.release, agent, release.candidate.tag)
