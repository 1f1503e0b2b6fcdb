"""What is known about a finding beside the alarm itself: why it came about, who was told, what people said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["info", "low", "medium", "high"]
SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high")
AlertStatus = Literal["open", "acknowledged", "resolved"]
ALERT_STATUSES: tuple[AlertStatus, ...] = ("open", "acknowledged", "resolved")
HappeningKind = Literal["release", "rollback", "data", "articles", "topic", "incident"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened at a time and may be why figures changed. `sentence` can be read alone."""

    time_ms: int
    kind: HappeningKind
    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one value of a dimension (an account, an intent ...) has to do with a change of a rate.

    `mix`: change of the rate because this value is asked for more or less often; `within`: because it does better or
    worse itself. Over all values of a dimension mix and within add up to the whole change. `share_before`,
    `share_after`: of what counts. `before`, `after`: its own rates, NaN where it has no labels. `z`: of the
    difference of its rates. `apart`: it certainly moved otherwise than all other values together.
    """

    value: str
    mix: float
    within: float
    share_before: float
    share_after: float
    before: float
    after: float
    labels_before: int
    labels_after: int
    z: float
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Dimension:
    """A change split over the values of one dimension, the largest part first; `mix` + `within` = the change."""

    name: str
    mix: float
    within: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a finding came about, as far as the labels and the journal tell.

    `before`, `after`: the rate in the two windows that were compared. `sentences`: for a manager, each with its
    numbers. `words`: said more since the change than before it. `near`: what happened near the inception, the
    nearest first. `n_before`, `n_after`: labels. `time_ms`: when this was told; a later one replaces it.
    """

    finding_id: str
    time_ms: int
    since_ms: int
    until_ms: int
    before: float
    after: float
    n_before: int
    n_after: int
    sentences: tuple[str, ...]
    dimensions: tuple[Dimension, ...] = ()
    words: tuple[str, ...] = ()
    near: tuple[Happening, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One change that people are told of, whatever the number of metrics and windows in which it shows.

    `alert_id`: id of its first finding. `finding_ids`: every finding of the change, in order of the time it was
    raised. `told`: channel → when it took the alert, and as how severe ("TIME SEVERITY"). `resolution`: why it ended.
    """

    alert_id: str
    severity: Severity
    status: AlertStatus
    finding_ids: tuple[str, ...]
    sentence: str
    opened_ms: int
    updated_ms: int
    told: Mapping[str, str] = field(default_factory=dict)
    acknowledged_by: str = ""
    acknowledged_ms: int | None = None
    resolved_ms: int | None = None
    resolution: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote about a finding."""

    comment_id: str
    finding_id: str
    author: str
    time_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert as people are told of it. `subject`: one line. `link`: of its page, "" where no address is known."""

    alert: Alert
    subject: str
    sentences: tuple[str, ...]
    link: str
    time_ms: int
