"""Bodies and replies of conversations and accounts (those of asking and labelling: `noria.app.http.schemas`)."""

from typing import Literal

from noria.app.http.schemas import Body, Groups, MaybeName, Name, Note, Reply
from noria.records import Decision, FeedbackKind


class SessionBody(Body):
    """Who chats. `groups`: of readers that the person belongs to. `session`: one that goes on, for a fresh token."""

    account: Name
    requester: MaybeName = ""
    groups: Groups = []  # noqa: RUF012 - pydantic copies it
    channel: Name = "chat"
    session: MaybeName = ""


class OpenedReply(Reply):
    """A session and its token, which is good until `expires_ms` (UTC milliseconds)."""

    session: str
    token: str
    expires_ms: int


class TurnReply(Reply):
    """A query with what was answered and said about it."""

    prediction_id: str
    time_ms: int
    text: str
    decision: Decision
    intent: str
    article_ids: list[str]
    feedback: list[FeedbackKind]


class TranscriptReply(Reply):
    """A conversation, oldest turn first."""

    account: str
    session: str
    turns: list[TurnReply]


class HandOverBody(Body):
    """What a person should know. `hand_over_id`: sent again with the same one it counts once."""

    account: Name
    reason: Note = ""
    hand_over_id: Name | None = None


class HandOverReply(Reply):
    """It is in the journal; `turns` of the transcript go with it."""

    accepted: Literal[True] = True
    hand_over_id: str
    turns: int


class AccountArticle(Reply):
    """An article that may be read."""

    article_id: str
    title: str
    body: str
    intents: list[str]


class ArticlesReply(Reply):
    """What may be read, by id."""

    account: str
    articles: list[AccountArticle]


class DeflectionReply(Reply):
    """Counts of sessions, and the band (0 to 1); null where there are none."""

    account: str
    since_ms: int
    until_ms: int
    sessions: int
    confirmed: int
    potential: int
    revoked: int
    person: int
    unsettled: int
    low: float | None
    high: float | None
