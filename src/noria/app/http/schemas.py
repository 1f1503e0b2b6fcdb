"""What goes over the wire: bodies of requests and replies of the JSON API under /v1."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from noria.records import Decision, FeedbackKind, Relevance

MAX_TEXT = 2_000
MAX_NAME = 200
MAX_ARTICLES = 50


def printable(text: str) -> str:
    """A text that can be kept.

    Raises:
        ValueError: it holds NUL, or half of a surrogate pair.
    """
    # PostgreSQL cannot store NUL in a text, so no door of ours lets it in.
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("must not contain half of a surrogate pair") from None
    return text


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT), AfterValidator(printable)
]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME), AfterValidator(printable)
]
MaybeName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_NAME), AfterValidator(printable)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT), AfterValidator(printable)]


Groups = Annotated[list[Name], Field(max_length=50)]


class Body(BaseModel):
    """Base of all request bodies: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reply(BaseModel):
    """Base of all replies."""

    model_config = ConfigDict(frozen=True)


class Chosen(Body):
    """One of the choices that a prediction offered."""

    prediction_id: Name
    intent: Name


class AskBody(Body):
    """A query of a user of an account. `query_id`: sent again with the same one it gives the same answer.

    `requester`, `groups`: who asks, and the groups of readers he or she belongs to; not taken from a browser, whose
    token says it. `choice`: what the user took of the choices offered; `text` says the same in words.
    """

    account: Name
    text: Text
    session: MaybeName = ""
    channel: Name = "chat"
    language: MaybeName = ""
    query_id: Name | None = None
    requester: MaybeName = ""
    groups: Groups = Field(default_factory=list, json_schema_extra={"default": []})  # a default would be copied deeply
    choice: Chosen | None = None


class ShownArticle(Reply):
    """An article as the user sees it; `score`: higher ranks first."""

    article_id: str
    title: str
    body: str
    score: float


class Choice(Reply):
    """An intent that the user may have meant."""

    intent: str
    title: str


class AskReply(Reply):
    """What the agent makes of a query; it is in the journal when this reply is sent.

    `missing`: parts of the agent that failed or were late, without which this was made.
    """

    prediction_id: str
    session: str
    decision: Decision
    intent: str
    intent_title: str
    intent_confidence: float
    scope_score: float
    in_scope: bool
    articles: list[ShownArticle]
    choices: list[Choice]
    message: str
    release: str
    missing: list[str]


class FeedbackBody(Body):
    """An event about a prediction; sent again for it with the same `event_id` it counts once."""

    event_id: Name | None = None
    prediction_id: Name
    kind: FeedbackKind
    value: Note = ""


class FeedbackReply(Reply):
    """The event is in the journal; `new` is false when it was there before."""

    accepted: Literal[True] = True
    new: bool


class LiveReply(Reply):
    """The process answers."""

    status: Literal["up"] = "up"


class ReadyReply(Reply):
    """A release is live and queries can be asked."""

    status: Literal["ready"] = "ready"
    release: str


class ChallengerReply(Reply):
    """A candidate that answers beside the live release, or for a share (0 to 1) of the sessions or accounts."""

    name: str
    tag: str
    mode: Literal["shadow", "canary"]
    share: float
    by: Literal["session", "account"]
    since_ms: int
    against: str


class ReleaseReply(Reply):
    """The live release, and the challenger that this process asks beside it."""

    release: str
    challenger: ChallengerReply | None = None


class TaskArticle(Reply):
    """An article that the agent showed."""

    article_id: str
    title: str
    body: str


class Predicted(Reply):
    """What the agent thought, where the labeller may see it."""

    intent: str
    intent_title: str
    decision: Decision
    articles: list[TaskArticle]


class Same(Reply):
    """The judgement that "same as predicted" stands for."""

    relevance: Relevance
    intent: str | None


class Said(Reply):
    """What one person said about a disputed task."""

    annotator: str
    relevance: Relevance
    intent: str | None
    article_ids: list[str]
    helpful: bool | None
    note: str


class TaskReply(Reply):
    """One query to judge. `scope`: intents to choose from. `predicted` is null for tasks that are judged blindly.

    `same` is null where the prediction is hidden or cannot be taken over. `said`: who disagrees, on disputed tasks.
    """

    task_id: str
    account: str
    text: str
    query_time_ms: int
    scope: list[str]
    predicted: Predicted | None
    same: Same | None
    said: list[Said] = []


class TasksReply(Reply):
    """Tasks, oldest first, with the titles of all intents in their scopes."""

    tasks: list[TaskReply]
    titles: dict[str, str]
    open: int
    labelled: int


class LabelBody(Body):
    """A person's judgement on a task; the latest of each person counts. `helpful` null: cannot tell.

    `article_ids`: every right article, ["none"] where none exists, empty = not judged. `adjudication`: decides what
    others dispute.
    """

    task_id: Name
    relevance: Relevance
    intent: Name | None = None
    article_ids: Annotated[list[Name], Field(max_length=MAX_ARTICLES)] = []
    helpful: bool | None = None
    annotator: Name
    note: Note = ""
    adjudication: bool = False


class LabelReply(Reply):
    """The judgement is stored; how the desk stands now."""

    accepted: Literal[True] = True
    label_id: str
    open: int
    labelled: int


class StatusReply(Reply):
    """How the desk stands. `oldest_open_ms`: when the oldest open task was made (UTC milliseconds)."""

    open: int
    labelled: int
    oldest_open_ms: int | None


class FieldProblem(Reply):
    """One fault of a request."""

    field: str
    message: str


class ProblemReply(BaseModel):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[FieldProblem] | None = None
