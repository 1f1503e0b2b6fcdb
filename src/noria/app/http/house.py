"""What the HTTP API and the pages ask of the house; `noria.app.wiring` provides it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from noria.app.http.metrics import Metrics
from noria.app.http.watched import Watching
from noria.ports import DeskStatus
from noria.records import Article, Feedback, Label, LabelTask, Prediction, Query
from noria.records.serving.staging import Challenger
from noria.records.sessions import HandOver, Session, Turn
from noria.serve import Asked, Keyring, Principal
from noria.serve.access import RateLimit

FORM_FIELD = "form_mark"


class AnsweringService(Protocol):
    """Answers queries and takes feedback; what its futures acknowledge is on disk."""

    @property
    def release(self) -> str | None:
        """Name of the live release, None before the first."""
        ...

    @property
    def waiting(self) -> int:
        """How many entries wait for the disk."""
        ...

    @property
    def challenger(self) -> Challenger | None:
        """Who is tried beside the live release; None where nobody is."""
        ...

    @property
    def in_shadow(self) -> Mapping[str, int]:
        """Queries that were `answered` in shadow, `dropped` for want of time, `lost` before they were written."""
        ...

    def ask(self, query: Query, prediction_id: str, asked: Asked | None = None) -> Future[Prediction]:
        """Answers; the future is done after the commit. Raises NoRelease before the first release."""
        ...

    def feedback(self, event: Feedback, account: str | None = None, session: str | None = None) -> Future[bool]:
        """Takes an event; the future says after the commit whether it was new. NotFound: no prediction of theirs."""
        ...

    def open_session(self, session: Session) -> Future[bool]:
        """Notes who is behind a session."""
        ...

    def hand_over(self, hand_over: HandOver) -> Future[bool]:
        """Notes that a person is to take over."""
        ...

    def articles(self, account: str, groups: tuple[str, ...]) -> Sequence[Article]:
        """What an account's readers of these groups may see."""
        ...

    def article(self, article_id: str) -> Article | None:
        """The article of the live release."""
        ...

    def intent_title(self, intent: str) -> str:
        """What a person calls the intent."""
        ...

    def refresh(self) -> bool:
        """Loads a newer release if the journal has one, and says whether it did. May block; called from a thread."""
        ...

    def close(self) -> None:
        """Commits what waits and stops."""
        ...


class BuiltInDesk(Protocol):
    """The label desk of these pages. Its methods may block and are called from threads."""

    def next_tasks(self, limit: int, annotator: str | None = None) -> Sequence[LabelTask]:
        """Tasks that lack answers, oldest first, without those that `annotator` has answered."""
        ...

    def disputed(self, limit: int) -> Sequence[tuple[LabelTask, Sequence[Label]]]:
        """Tasks on which people disagree, with the labels that count."""
        ...

    def task(self, task_id: str) -> LabelTask:
        """One task, with or without a label. NotFound: there is none."""
        ...

    def submit(self, label: Label) -> object:
        """Stores a judgement; the latest of each person counts. UsageError: it contradicts itself or its task."""
        ...

    def status(self) -> DeskStatus:
        """How many tasks are open and labelled."""
        ...


class Conversations(Protocol):
    """Reads conversations; may block, called from threads."""

    def session(self, account: str, session: str) -> Session: ...

    def sessions(self, account: str, since_ms: int, until_ms: int) -> Sequence[Session]: ...

    def transcript(self, account: str, session: str) -> Sequence[Turn]: ...

    def transcripts(self, which: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Turn]]: ...

    def hand_overs(self, since_ms: int, until_ms: int, account: str | None = None) -> Sequence[HandOver]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a key and a chat may ask in a minute; 0 = as often as they like."""

    rate: RateLimit
    requests_a_minute: int
    chat_a_minute: int


class House(Protocol):
    """Everything behind the HTTP API, with the clock and the source of ids."""

    @property
    def keyring(self) -> Keyring: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def conversations(self) -> Conversations: ...

    @property
    def watching(self) -> Watching: ...

    @property
    def notebook(self) -> Path | None:
        """The notebook that is shown, where there is one."""
        ...

    @property
    def service(self) -> AnsweringService: ...

    @property
    def desk(self) -> BuiltInDesk: ...

    def settle(self) -> object:
        """Settles the tasks that labels came in for, so that figures and disputes are up to date."""
        ...

    def performance(self) -> Mapping[str, Any]:
        """The view model of the performance page; may block, called from a thread.

        Rates are {"value", "low", "high", "k", "n"}: shares from 0 to 1 with their 95 % interval, null where n is 0.
        Times are UTC milliseconds, days "YYYY-MM-DD". Keys: generated_ms, title,
        days [{day, predictions, labels, success, coverage, preciseness, helpfulness, new_domain, irrelevant}],
        challenger null or {name, tag, mode, share, by, since_ms, against},
        releases [{release, time_ms, kind, tag, sentence}], verdicts [{seq, time_ms, kind, release, tag, sentence}],
        findings [{metric, raised_ms, inception_ms, inception_low_ms, inception_high_ms, before, after, sentence}],
        replay: null or {days [{day, with_loop, without_loop, n}], changes [{name, time_ms, sentence}],
        summary {success_with, success_without, uplift_percent, days, queries, labels, releases, refusals, holds},
        report}.
        """
        ...

    def accounts(self) -> Sequence[str]:
        """Accounts that may ask; empty when any may."""
        ...

    def ring(self, account: str, secret: str, ticket_id: str) -> bool:
        """An account's help desk rang about a ticket ("" = it named none); False where the secret is not its own."""
        ...

    def exchange(self) -> bool:
        """Does what is due at the help desks; may block for long. False where there are none, now and later."""
        ...

    def now_ms(self) -> int:
        """The present, UTC milliseconds."""
        ...

    def new_id(self) -> str:
        """A fresh id."""
        ...


async def house_of(request: Request) -> House:
    """The house behind the app. Async on purpose: FastAPI would run a plain function in a thread, at each request."""
    house: House = request.app.state.house
    return house


async def principal_of(request: Request) -> Principal:
    """Who asks, as the gate found; a path that the gate leaves open has none."""
    who: Principal = request.scope["principal"]
    return who


async def form_mark_of(request: Request) -> str:
    """What a form of ours sends along in `FORM_FIELD` where no script does; "" where nobody signed in."""
    mark: str = request.scope["form_mark"]
    return mark


TheHouse = Annotated[House, Depends(house_of)]
Who = Annotated[Principal, Depends(principal_of)]
FormMark = Annotated[str, Depends(form_mark_of)]
