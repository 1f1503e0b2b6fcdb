"""A house with made-up data behind the HTTP API: no stores, no model, a clock and ids that a test can foresee."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from concurrent.futures import Future
from typing import Any, ClassVar

from noria.app.http.house import Limits
from noria.app.http.metrics import Metrics
from noria.errors import NoRelease, NotFound, UsageError
from noria.ports import DeskStatus
from noria.records import Answer, Article, Feedback, Label, LabelTask, Prediction, Query, Ranked
from noria.records.access import AccountRules, ApiKey
from noria.records.sessions import HandOver, Session, Turn
from noria.serve import Asked, Keyring
from noria.serve.access import RateLimit, hash_of, new_key
from noria.serve.service import may_see
from noria.stats import wilson

DAY_MS = 86_400_000
START_MS = 1_767_571_200_000  # 5 January 2026, a Monday
NOW_MS = START_MS + 61 * DAY_MS
PROBE = "<img src=x onerror=\"document.title='broken'\"> & <script>document.title='broken'</script>"
SCOPE = ("account_locked", "password_reset", "printer_jam", "vpn_not_connecting", "vpn_slow")
TITLES = {"vpn_slow": "VPN is slow", "vpn_not_connecting": "VPN does not connect"}
ARTICLES = {
    "kb-1": Article(
        "kb-1",
        "Choose a new password yourself",
        "Open the sign-in page and choose “Forgot password”.\nThen confirm the request on your phone, and pick a "
        "passphrase of at least 14 characters that you have not used before.",
        ("password_reset",),
    ),
    "kb-2": Article(
        "kb-2", "Unlock a locked account", "An account opens by itself after 30 minutes.", ("account_locked",)
    ),
    "kb-9": Article("kb-9", PROBE, PROBE),
    "kb-other": Article("kb-other", "Secret of another account", "Nobody else may see this.", account="birch"),
}


def done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


class MadeUpService:
    """Answers by a word in the text: `password`, `unsure`, `probe`, `boom`; hands over anything else."""

    def __init__(self, release: str | None = "r0007") -> None:
        self.release = release
        self.asked: list[Prediction] = []
        self.came_with: list[Asked] = []
        self.sessions: dict[tuple[str, str], Session] = {}
        self.handed: dict[str, HandOver] = {}
        self.events: list[Feedback] = []
        self.refreshed, self.closed = 0, False

    waiting, challenger = 0, None
    in_shadow: ClassVar[dict[str, int]] = {"answered": 3, "dropped": 1, "lost": 0}

    def ask(self, query: Query, prediction_id: str, asked: Asked | None = None) -> Future[Prediction]:
        if self.release is None:
            raise NoRelease
        if "boom" in query.text:
            raise RuntimeError("a secret in a traceback")
        prediction = Prediction(prediction_id, query, answer_to(query.text), self.release, 1.5)
        self.asked.append(prediction)
        self.came_with.append(asked or Asked())
        return done(prediction)

    def open_session(self, session: Session) -> Future[bool]:
        self.sessions[session.account, session.session] = session
        return done(value=True)

    def hand_over(self, hand_over: HandOver) -> Future[bool]:
        self.handed[hand_over.hand_over_id] = hand_over
        return done(value=True)

    def articles(self, account: str, groups: tuple[str, ...]) -> list[Article]:
        return [a for a in ARTICLES.values() if may_see(a, account, groups)]

    def feedback(self, event: Feedback, account: str | None = None, session: str | None = None) -> Future[bool]:
        if event.prediction_id not in {p.prediction_id for p in self.asked}:
            return failed(NotFound("prediction", event.prediction_id))
        new = event.event_id not in {e.event_id for e in self.events}
        if new:
            self.events.append(event)
        return done(new)

    def article(self, article_id: str) -> Article | None:
        return ARTICLES.get(article_id)

    def intent_title(self, intent: str) -> str:
        return TITLES.get(intent, intent.replace("_", " ").capitalize())

    def refresh(self) -> bool:
        self.refreshed += 1
        return False

    def close(self) -> None:
        self.closed = True


def answer_to(text: str) -> Answer:
    if "password" in text:
        shown = (Ranked("kb-1", 0.91), Ranked("kb-2", 0.4), Ranked("kb-other", 0.3), Ranked("kb-gone", 0.2))
        return Answer("answer", "password_reset", 0.93, 2.1, in_scope=True, articles=shown)
    if "probe" in text:
        return Answer("answer", "password_reset", 0.5, 1.0, in_scope=True, articles=(Ranked("kb-9", 0.5),))
    if "unsure" in text:
        return Answer("clarify", "vpn_slow", 0.44, 0.9, in_scope=True, choices=("vpn_slow", "vpn_not_connecting"))
    return Answer("handoff", "oos", 0.12, -1.3, in_scope=False)


class MadeUpConversations:
    """Reads what the made-up service was told."""

    def __init__(self, service: MadeUpService) -> None:
        self.service = service

    def session(self, account: str, session: str) -> Session:
        if (account, session) not in self.service.sessions:
            raise NotFound("session", session)
        return self.service.sessions[account, session]

    def sessions(self, account: str, since_ms: int, until_ms: int) -> list[Session]:
        return [s for s in self.service.sessions.values() if s.account == account]

    def transcript(self, account: str, session: str) -> list[Turn]:
        said = [p for p in self.service.asked if (p.query.account, p.query.session) == (account, session)]
        return [Turn(p, tuple(e for e in self.service.events if e.prediction_id == p.prediction_id)) for p in said]

    def transcripts(self, which: list[tuple[str, str]]) -> dict[tuple[str, str], list[Turn]]:
        return {pair: self.transcript(*pair) for pair in which}

    def hand_overs(self, since_ms: int, until_ms: int, account: str | None = None) -> list[HandOver]:
        return [h for h in self.service.handed.values() if account in {None, h.account}]


class MadeUpDesk:
    """Three tasks; keeps every label it is given."""

    def __init__(self) -> None:
        self.tasks = [
            made_up_task(1, "i forgot my password and the page does not know my phone"),
            made_up_task(2, f"please help {PROBE}", predicted_intent="vpn_slow", article_ids=("kb-9",)),
            made_up_task(3, "can I lease a car", decision="handoff", predicted_intent="oos", article_ids=()),
        ]
        self.labels: list[Label] = []

    def next_tasks(self, limit: int, annotator: str | None = None) -> list[LabelTask]:
        mine = {label.task_id for label in self.labels if annotator in (None, label.annotator)}
        said = [label.task_id for label in self.labels]
        open_ones = [t for t in self.tasks if t.task_id not in mine and said.count(t.task_id) < t.annotators]
        return open_ones[:limit]

    def disputed(self, limit: int) -> list[tuple[LabelTask, list[Label]]]:
        decided = {label.task_id for label in self.labels if label.adjudication}
        said = [(task, [la for la in self.labels if la.task_id == task.task_id]) for task in self.tasks]
        apart = [(task, ls) for task, ls in said if len({la.relevance for la in ls}) > 1]
        return [(task, ls) for task, ls in apart if task.task_id not in decided][:limit]

    def task(self, task_id: str) -> LabelTask:
        for task in self.tasks:
            if task.task_id == task_id:
                return task
        raise NotFound("label task", task_id, [t.task_id for t in self.tasks])

    def submit(self, label: Label) -> None:
        if label.relevance == "in_scope" and label.intent is None:
            raise UsageError("a label 'in_scope' needs the right intent; choose one of the task's scope.")
        self.labels.append(label)

    def status(self) -> DeskStatus:
        labelled = len({label.task_id for label in self.labels})
        return DeskStatus(len(self.tasks) - labelled, labelled, START_MS)


def made_up_task(number: int, text: str, **fields: Any) -> LabelTask:
    usual = {
        "account": "acme",
        "text": text,
        "predicted_intent": "password_reset",
        "decision": "answer",
        "article_ids": ("kb-1", "kb-2"),
        "release": "r0007",
        "query_time_ms": START_MS + number * 3_600_000,
        "stratum": "uniform-1/1",
        "inclusion_probability": 0.25,
        "seed": 7,
        "design": "uniform-1",
        "scope": SCOPE,
        "created_ms": START_MS,
    }
    return LabelTask(f"t-{number}", f"p-{number}", **{**usual, **fields})


class MadeUpHouse:
    """The whole house; `view` is what the performance page gets."""

    notebook = None

    def __init__(self, view: dict[str, Any] | None = None, release: str | None = "r0007") -> None:
        self.service, self.desk = MadeUpService(release), MadeUpDesk()
        self.view = view if view is not None else made_up_view()
        self.ids = (f"id-{number}" for number in itertools.count(1))
        self.keys, self.account_rules, self.rings = [], [], []
        self.keyring = Keyring(self.KeyStore(self), self.now_ms, "not random", always=False)
        self.limits, self.metrics = Limits(RateLimit(lambda: 0.0), 600, 60), Metrics()
        self.conversations = MadeUpConversations(self.service)

    class KeyStore:
        def __init__(self, house: MadeUpHouse) -> None:
            self.house = house

        def keys(self) -> list[ApiKey]:
            return self.house.keys

        def rules(self) -> list[AccountRules]:
            return self.house.account_rules

        def secret(self, fresh: str) -> str:
            return fresh

    def add_key(self, role: str, account: str = "*") -> str:
        """A key that opens something from now on."""
        text = new_key(f"key{len(self.keys)}", "s" * 40)
        self.keys.append(ApiKey(f"key{len(self.keys)}", hash_of(text), account, role, "", 0))
        self.keyring.refresh()
        return text

    def settle(self) -> None:
        self.settled = len(self.desk.labels)

    def performance(self) -> dict[str, Any]:
        return self.view

    def accounts(self) -> list[str]:
        return ["acme", "birch", "cedar"]

    def ring(self, account: str, secret: str, ticket_id: str) -> bool:
        if (account, secret) != ("acme", "bell"):
            return False
        self.rings.append(ticket_id)
        return True

    def exchange(self) -> bool:
        return False

    def now_ms(self) -> int:
        return NOW_MS

    def new_id(self) -> str:
        return next(self.ids)


def empty_view() -> dict[str, Any]:
    """A home in which nothing has happened yet."""
    parts = ("days", "releases", "verdicts", "findings")
    return {"generated_ms": NOW_MS, "title": "fresh", "replay": None, **{part: [] for part in parts}}


def made_up_view(days: int = 60, *, replayed: bool = True, labels: int = 40) -> dict[str, Any]:
    """A replay of some weeks: two planted changes, releases that answer them, one refusal."""
    chance = random.Random(7)
    rows, replay = [], []
    for i in range(days):
        with_loop = _level(i, ((0, 0.78), (20, 0.62), (27, 0.80), (40, 0.70), (46, 0.86)))
        without = _level(i, ((0, 0.78), (20, 0.61), (40, 0.50)))
        queries = 60 if i % 7 >= 5 else 310
        drawn = labels if i != 33 else 0
        inside = round(0.85 * drawn)
        hits = sum(chance.random() < with_loop for _ in range(inside))
        rows.append(_day(i, queries, drawn, inside, hits))
        wobble = chance.uniform(-0.02, 0.02)
        replay.append(
            {"day": _date(i), "with_loop": with_loop + wobble, "without_loop": without + wobble, "n": queries}
        )
    changes = [
        {
            "name": "new_domain",
            "time_ms": START_MS + 20 * DAY_MS,
            "sentence": "Requests of the domain “mobile” appear.",
        },
        {
            "name": "reworded",
            "time_ms": START_MS + 40 * DAY_MS,
            "sentence": "People speak of “sign-in” instead of “login”.",
        },
    ]
    verdicts = [_verdict(i, *v) for i, v in enumerate(VERDICTS, 1) if v[0] <= days]
    summary = {
        "end_days": 14, "success_with": 0.858, "success_without": 0.499, "uplift_percent": 71.9, "days": days,
        "queries": 14_310, "labels": 2_360, "releases": 3, "refusals": 1, "holds": 1,
    }  # fmt: skip
    return {
        "generated_ms": NOW_MS,
        "title": "helpdesk",
        "days": rows,
        "releases": [v for v in verdicts if v["kind"] in {"release", "rollback"}],
        "verdicts": verdicts,
        "findings": [_finding(20, 19, 22, 23, 0.78, 0.61), _finding(40, 38, 41, 42, 0.80, 0.69)],
        "replay": {"days": replay, "changes": changes, "summary": summary, "report": "/home/ann/replay.html"}
        if replayed
        else None,
    }  # fmt: skip


VERDICTS = (
    (0, "release", "r0001", "The first model: it answers 78.1 % of the basket rightly."),
    (12, "refuse", None, "Refused: on the basket it is not shown to lose less than 2 points (−3.4 to +0.9)."),
    (27, "release", "r0002", "Better by 18.2 points on fresh labels (11.0 to 25.1); no account is worse."),
    (41, "hold", None, "On hold: 31 fresh labels are too few to rule out a loss of 2 points."),
    (46, "release", "r0003", "Better by 15.7 points on fresh labels (9.1 to 22.0); no account is worse."),
)


def _verdict(seq: int, day: int, kind: str, release: str | None, sentence: str) -> dict[str, Any]:
    tag = f"helpdesk-2026{seq:02}"
    entry = {"seq": seq, "time_ms": START_MS + day * DAY_MS, "kind": kind}
    return entry | {"release": release, "tag": tag, "sentence": sentence}


def _finding(began: int, low: int, high: int, raised: int, before: float, after: float) -> dict[str, Any]:
    return {
        "metric": "success",
        "raised_ms": START_MS + raised * DAY_MS,
        "inception_ms": START_MS + began * DAY_MS,
        "inception_low_ms": START_MS + low * DAY_MS,
        "inception_high_ms": START_MS + high * DAY_MS,
        "before": before,
        "after": after,
        "sentence": f"Success fell from {100 * before:.0f} % to {100 * after:.0f} % on {_date(began)}.",
    }


def _level(day: int, steps: tuple[tuple[int, float], ...]) -> float:
    return [value for start, value in steps if start <= day][-1]


def _date(day: int) -> str:
    return dt.datetime.fromtimestamp((START_MS + day * DAY_MS) / 1000, dt.UTC).date().isoformat()


def _day(day: int, queries: int, labels: int, inside: int, hits: int) -> dict[str, Any]:
    rates = {
        "success": (hits, inside),
        "coverage": (min(inside, hits + 3), inside),
        "preciseness": (hits, min(inside, hits + 3)),
        "helpfulness": (hits // 2, inside // 2),
        "new_domain": (labels // 10, labels),
        "irrelevant": (labels // 20, labels),
    }
    return {"day": _date(day), "predictions": queries, "labels": labels} | {
        name: {"value": k / n if n else None, "low": wilson(k, n).low, "high": wilson(k, n).high, "k": k, "n": n}
        for name, (k, n) in rates.items()
    }
