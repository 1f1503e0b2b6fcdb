"""Answers live queries with the released agent, and acknowledges nothing before it is committed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from noria.agent.bundle import Encoders
from noria.errors import NoRelease, NoriaError, OutsideError, UsageError
from noria.records import Answer, Article, Feedback, Prediction, Query
from noria.records.redaction import RECOGNISERS, Recogniser, redact
from noria.records.serving.staging import Challenger
from noria.records.sessions import HandOver, OwnFeedback, Session
from noria.serve.answering import Answering
from noria.serve.challenger import Beside, Canary
from noria.serve.loading import Live, load, stocked
from noria.serve.sessions import Follower
from noria.stores.journal import GroupCommit
from noria.stores.journal.group_commit import Outcome

if TYPE_CHECKING:
    from noria.stores import Stores

T = TypeVar("T")
U = TypeVar("U")

_MOST_SESSIONS = 50_000
_NO_SESSION = "the journal did not take the session of this query; send it again with its id."


@dataclass(frozen=True, slots=True)
class Asked:
    """What comes with a query.

    `groups`: of readers that the asker belongs to. `requester`: who asks. `in_session`: the query belongs to a
    conversation that others may follow. `choice`: (prediction id, intent): what was taken from the choices of a
    prediction that asked back.
    """

    groups: tuple[str, ...] = ()
    requester: str = ""
    in_session: bool = False
    choice: tuple[str, str] | None = None


class Service:
    """The live agent of one process: answers, logs, takes feedback, and swaps releases without a dropped query.

    Args:
        stores: journal and bundles.
        clock: seconds, monotonic, for latencies.
        encoders: gives the encoder of a spec, for releases that need one.
        redacts: whether an account wants personal data blotted out before a text is kept.
        recognisers: what counts as personal data.
        limit_ms: how long an agent with an encoder may take for an answer.
    """

    def __init__(
        self,
        stores: Stores,
        clock: Callable[[], float],
        encoders: Encoders | None = None,
        *,
        redacts: Callable[[str], bool] = lambda _: True,
        recognisers: tuple[Recogniser, ...] = RECOGNISERS,
        limit_ms: int = 2_000,
    ) -> None:
        self._stores, self._clock, self._encoders = stores, clock, encoders
        self._redacts, self._recognisers = redacts, recognisers
        self._commit = GroupCommit(stores.journal)
        self._answering = Answering(limit_ms)
        self._follower = Follower(stores.journal, self._commit.submit)
        self._sessions: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.beside = Beside(stores, clock, encoders, limit_ms=limit_ms)
        self._live: Live | None = None
        self._articles: tuple[Article, ...] | None = None
        self._swap = threading.Lock()
        self.refresh()

    @property
    def release(self) -> str | None:
        """The release that answers now; None before the first."""
        live = self._live
        return live.release if live else None

    @property
    def waiting(self) -> int:
        """How many entries wait for the disk."""
        return self._commit.waiting

    @property
    def challenger(self) -> Challenger | None:
        """Who is tried beside the live release; None where nobody is."""
        return self.beside.challenger

    @property
    def in_shadow(self) -> dict[str, int]:
        """Queries that were `answered` in shadow, `dropped` for want of time, `lost` before they were written."""
        shadow = self.beside.shadow
        return {"answered": shadow.answered, "dropped": shadow.dropped, "lost": shadow.lost}

    def ask(self, query: Query, prediction_id: str, asked: Asked | None = None) -> Future[Prediction]:
        """Answers a query; the future is done when the prediction is committed.

        Asked again with the same prediction id and text, it gives what was answered the first time.

        Raises:
            NoRelease: nothing is live yet. OutsideError: too many predictions wait for the disk; try again. Through the
            future, NotFound, UsageError: the choice is none that was offered; the id was used for another text.
        """
        asked = asked or Asked()
        if self._live is None:
            raise NoRelease
        live = self.beside.route(query, self._live)
        started = self._clock()

        def make() -> Answer:
            return live.answer(query.text, query.account, asked.groups)

        def make_at_once(missing: str) -> Answer:
            return live.agent.answer_without_encoder(query.text, missing)

        def log(answer: Answer) -> Future[Prediction]:
            latency_ms = 1000 * (self._clock() - started)
            text = self._kept(query.account, query.text)
            kept = query if text is query.text else replace(query, text=text)
            bare = replace(answer, missing=()) if answer.missing else answer
            made = Prediction(prediction_id, kept, bare, live.release, latency_ms, answer.missing)
            if asked.choice is None:
                self.beside.answered(query, made, live, asked.groups)
            return self._log(made, asked)

        if asked.choice is not None:
            return _and_then(self._chosen(live, query, asked, asked.choice), log)
        if live.agent.encoder is not None or live.answering is not None:
            return _and_then((live.answering or self._answering).soon(make, make_at_once), log)
        return log(self._answering.now(make))

    def feedback(self, event: Feedback, account: str | None = None, session: str | None = None) -> Future[bool]:
        """Takes a feedback event; the future is done when it is committed and says whether it was new.

        Args:
            event: what was said.
            account, session: whose prediction it must be; None = anybody's.

        Raises (through the future): NotFound for an unknown prediction, or one that is not theirs.
        """
        if event.value:
            event = replace(event, value=self._kept(account, event.value))
        return self._commit.submit(event if account is None else OwnFeedback(event, account, session))

    def open_session(self, session: Session) -> Future[bool]:
        """Notes who is behind a session; the future is done when that is committed."""
        key = session.account, session.session
        self._sessions[key] = None
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        try:
            noted = self._commit.submit(session)
        except NoriaError:
            self._sessions.pop(key, None)
            raise
        noted.add_done_callback(lambda done: self._sessions.pop(key, None) if done.exception() else None)
        return noted

    def hand_over(self, hand_over: HandOver) -> Future[bool]:
        """Notes that a person is to take over; the future is done when that is committed."""
        kept = replace(hand_over, reason=self._kept(hand_over.account, hand_over.reason))
        return self._commit.submit(kept)

    def article(self, article_id: str) -> Article | None:
        """The article as the live agent knows it."""
        live = self._live
        return (live.agent.article(article_id) or self.beside.article(article_id)) if live else None

    def articles(self, account: str, groups: tuple[str, ...]) -> list[Article]:
        """The articles that an account's readers of these groups may see, by id."""
        live = self._live
        return [a for a in live.agent.articles if may_see(a, account, groups)] if live else []

    def intent_title(self, intent: str) -> str:
        """The intent's name for people: `vpn_not_connecting` → `Vpn not connecting`."""
        return intent.replace("_", " ").strip().capitalize()

    def refresh(self) -> bool:
        """Loads the current release beside the one that answers, tries it, then swaps; False when nothing changed.

        Raises:
            NoriaError: the release cannot be had or does not answer; the one before goes on.
        """
        with self._swap:
            current = self._stores.journal.current_release()
            newer = current is not None and (self._live is None or self._live.release != current.release)
            if current is not None and newer:
                self._live = stocked(load(self._stores, current, self._encoders), self._articles)
            self.beside.refresh(self._live)
            return newer

    def stock(self, articles: Sequence[Article]) -> None:
        """Answers with these articles from now on: this release, the next ones, and who is tried beside them."""
        with self._swap:
            self._articles = tuple(articles)
            self.beside.stock(self._articles)
            if self._live is not None:
                self._live = stocked(self._live, self._articles)

    def close(self) -> None:
        """Commits what waits, then stops."""
        self.beside.close()
        self._answering.close()
        self._follower.close()
        self._commit.close()

    def _kept(self, account: str | None, text: str) -> str:
        """The text as it may be kept; where nobody says whose it is, without personal data."""
        return redact(text, self._recognisers).text if account is None or self._redacts(account) else text

    def _log(self, prediction: Prediction, asked: Asked) -> Future[Prediction]:
        query = prediction.query
        place = query.account, query.session
        # what is queued first is committed no later: a prediction never stands without its session
        if asked.in_session and place not in self._sessions:
            self.open_session(Session(*place, asked.requester, query.channel, query.time_ms))
        logged: Future[Prediction] = Future()

        def done(outcome: Outcome) -> None:
            if isinstance(outcome, BaseException):
                self._settle_again(logged, prediction, outcome)
            elif asked.in_session and place not in self._sessions:
                # unnoticed, nobody would know whose it is: not the ticket, and not who erases
                logged.set_exception(OutsideError(_NO_SESSION, retry_helps=True))
            else:
                logged.set_result(prediction)
                if asked.in_session:
                    self._follower.turned(prediction)

        self._commit.submit_then(prediction, done)
        return logged

    def _settle_again(self, logged: Future[Prediction], made: Prediction, error: BaseException) -> None:
        """Of a query that was sent twice, the first answer counts."""
        try:
            first = self._stores.journal.prediction(made.prediction_id) if isinstance(error, UsageError) else None
        except NoriaError:
            first = None
        if first is None:
            logged.set_exception(error)
        elif (first.query.account, first.query.text) == (made.query.account, made.query.text):
            logged.set_result(first)
        else:
            logged.set_exception(UsageError("this query_id was used for another text; use an id once."))

    def _chosen(self, live: Live | Canary, query: Query, asked: Asked, choice: tuple[str, str]) -> Future[Answer]:
        """The articles of an intent that the user chose, for the question as it was first asked."""
        prediction_id, intent = choice

        def make() -> Answer:
            live.settle()
            first = self._stores.journal.prediction(prediction_id)
            if (first.query.account, first.query.session) != (query.account, query.session):
                raise UsageError(f"the choice belongs to no prediction of this session: {prediction_id!r}.")
            if intent not in first.answer.choices:
                raise UsageError(f"{intent!r} was not offered; choose one of {', '.join(first.answer.choices)}.")
            return live.agent.answer_choice(first.answer, intent, first.query.text, query.account, asked.groups)

        return self._answering.run(make)


def may_see(article: Article, account: str, groups: tuple[str, ...]) -> bool:
    """Whether an account's reader of these groups may see an article."""
    return article.account in {None, account} and (
        article.audience is None or not set(article.audience).isdisjoint(groups)
    )


def _and_then(first: Future[T], then: Callable[[T], Future[U]]) -> Future[U]:
    """A future of what follows on another; an error of either is its error."""
    last: Future[U] = Future()

    def pass_on(source: Future[U]) -> None:
        error = source.exception()
        if error is None:
            last.set_result(source.result())
        else:
            last.set_exception(error)

    def go_on(source: Future[T]) -> None:
        try:
            then(source.result()).add_done_callback(pass_on)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits
            last.set_exception(error)

    first.add_done_callback(go_on)
    return last
