"""Figures of the running process for Prometheus; each process counts for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.records import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from noria.records import Prediction

_LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """What was asked, answered and said, by kinds that are few; never a text or a name of a person.

    Accounts are no label on purpose: there may be many, and the journal counts them.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        self._requests = Counter(
            "noria_http_requests_total", "Requests by path and status.", ["path", "status"], registry=self.registry
        )
        self._predictions = Counter(
            "noria_predictions_total", "Committed predictions by decision.", ["decision"], registry=self.registry
        )
        self._missing = Counter(
            "noria_missing_total", "Components that failed or were late.", ["component"], registry=self.registry
        )
        self._feedback = Counter(
            "noria_feedback_total", "New feedback events by kind.", ["kind"], registry=self.registry
        )
        self._latency = Histogram(
            "noria_answer_seconds", "From the query to the agent's answer.", buckets=_LATENCY_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._swaps = Counter(
            "noria_swaps_total", "Releases taken over, or refused.", ["outcome"], registry=self.registry
        )
        self._shadow = Gauge(
            "noria_shadow_queries", "Queries for the agent that is not shown, since the start.", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self._waiting = Gauge("noria_journal_waiting", "Entries that wait for the disk.", registry=self.registry)
        self._release = Gauge("noria_release", "1 for the live release.", ["release"], registry=self.registry)
        self._handed = Gauge(
            "noria_hand_overs", "Hand-overs by state, of accounts with a help desk; the latest look.", ["state"],
            registry=self.registry,
        )  # fmt: skip
        self._decided = {decision: self._predictions.labels(decision).inc for decision in DECISIONS}
        self._counted: dict[tuple[str, int], Callable[[], None]] = {}

    def answered(self, path: str, status: int) -> None:
        """A request was answered; `path` is that of a rule, so there are few."""
        count = self._counted.get((path, status))
        if count is None:
            count = self._counted[path, status] = self._requests.labels(path, str(status)).inc
        count()

    def predicted(self, prediction: Prediction) -> None:
        """A prediction was committed."""
        self._decided[prediction.answer.decision]()
        self._latency.observe(prediction.latency_ms / 1000)
        for component in prediction.missing:
            self._missing.labels(component.partition(":")[0][:40]).inc()

    def told(self, kind: str) -> None:
        """A new feedback event was committed."""
        self._feedback.labels(kind).inc()

    def swapped(self, outcome: str) -> None:
        """A release was `taken` over, or `refused`."""
        self._swaps.labels(outcome).inc()

    def handed(self, states: Mapping[str, int]) -> None:
        """How many hand-overs are in which state; `unknown` and `refused` ones want a person."""
        for state, n in states.items():
            self._handed.labels(state).set(n)

    def beside(self, counts: Mapping[str, int]) -> None:
        """What became of queries in shadow."""
        for outcome, count in counts.items():
            self._shadow.labels(outcome).set(count)

    def text(self, waiting: int, release: str | None) -> bytes:
        """All figures in Prometheus' text format."""
        from prometheus_client import generate_latest

        self._waiting.set(waiting)
        self._release.clear()
        if release is not None:
            self._release.labels(release).set(1)
        return generate_latest(self.registry)
