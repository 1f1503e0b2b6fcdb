"""One alert for each change; severity, quiet time, resolution; what each channel is told, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from noria.monitor.alerting import AlertPolicy, due, gather, noted, notice, over, severity_of
from noria.records import DAY_MS, HOUR_MS, Finding
from noria.records.findings import Alert
from noria.stats import Estimate

POLICY = AlertPolicy(quiet_hours=6)
NOW = 100 * DAY_MS


def finding(name: str, day: int, *, metric: str = "success", drop: float = 0.12) -> Finding:
    at = day * DAY_MS
    return Finding(name, metric, at + 3 * DAY_MS, at, at - DAY_MS, at + DAY_MS, 0.9, 0.9 - drop, f"{metric} fell.")


def alert(name: str, severity: str = "medium", **fields: object) -> Alert:
    return replace(Alert(name, severity, "open", (name,), "It fell.", NOW, NOW), **fields)


@pytest.mark.parametrize(
    ("drop", "metric", "severity"),
    [(0.12, "success", "high"), (0.06, "success", "medium"), (0.02, "success", "low"), (-0.1, "success", "info"),
     (0.2, "new_domain", "high"), (0.5, "confidence", "info"), (float("nan"), "success", "info")],
)  # fmt: skip
def test_severity_is_the_size_of_the_drop_in_what_labels_tell(drop, metric, severity):
    assert severity_of(finding("f", 1, metric=metric, drop=drop)) == severity


def test_findings_of_one_change_are_one_alert_and_of_another_change_another():
    rows = [finding("a", 10, drop=0.06), finding("b", 11, metric="new_domain"), finding("c", 40)]
    made = gather(rows, [], now_ms=NOW)
    assert [(a.alert_id, a.finding_ids, a.severity) for a in made] == [("a", ("a", "b"), "high"), ("c", ("c",), "high")]


def test_what_is_kept_stays_and_a_later_finding_of_the_change_joins_it():
    kept = replace(alert("a"), status="acknowledged", acknowledged_by="ann")
    rows = [finding("a", 10), finding("b", 11)]
    (joined,) = gather(rows, [kept], now_ms=NOW)
    assert joined.finding_ids == ("a", "b")
    assert (joined.status, joined.acknowledged_by) == ("acknowledged", "ann")
    assert gather(rows, [joined], now_ms=NOW) == []


def test_after_it_is_over_the_same_days_are_a_new_alert():
    done = replace(alert("a"), status="resolved")
    (made,) = gather([finding("a", 10), finding("b", 10)], [done], now_ms=NOW)
    assert made.finding_ids == ("b",)


@pytest.mark.parametrize(
    ("low", "high", "n", "is_over"),
    [(0.84, 0.92, 100, True), (0.70, 0.92, 100, False), (0.80, 0.85, 100, False), (0.84, 0.92, 20, False)],
)
def test_it_is_over_once_labels_say_that_the_rate_is_back(low, high, n, is_over):
    lately = Estimate((low + high) / 2, low, high, n, n)
    told = over(alert("a"), [(finding("a", 10), lately)], POLICY, now_ms=NOW)
    assert (told is not None) == is_over
    if told:
        assert told.status == "resolved"
        assert "Success is back at 88.0 %" in told.resolution


def test_it_is_over_only_once_all_its_falls_are():
    """One slice that is back does not end the alert of another one, nor does what no label tells."""
    back, low = Estimate(0.9, 0.84, 0.92, 100, 100.0), Estimate(0.8, 0.7, 0.85, 100, 100.0)
    all_traffic, account = finding("a", 10), replace(finding("b", 10), slice="account=acme")
    assert over(alert("a"), [(all_traffic, back), (account, low)], POLICY, now_ms=NOW) is None
    assert over(alert("a"), [], POLICY, now_ms=NOW) is None
    told = over(alert("a"), [(all_traffic, back), (account, back)], POLICY, now_ms=NOW)
    assert "Success with account acme is back at 90.0 %" in told.resolution


def test_an_alert_speaks_for_its_worst_finding_as_that_is_placed_by_now():
    """A shift without labels that turns out to be a drop is told as the drop; a finding placed again is told anew."""
    shift, drop = finding("a", 10, metric="confidence"), finding("b", 11)
    (first,) = gather([shift], [], now_ms=NOW)
    (joined,) = gather([shift, drop], [first], now_ms=NOW)
    assert (first.severity, first.sentence) == ("info", "confidence fell.")
    assert (joined.alert_id, joined.severity, joined.sentence) == ("a", "high", "success fell.")
    again = replace(drop, after=0.88, sentence="success fell a little.")
    (moved,) = gather([shift, again], [joined], now_ms=NOW + 1)
    assert (moved.severity, moved.sentence, moved.updated_ms) == ("high", "success fell a little.", NOW + 1)


def test_a_channel_is_told_once_then_of_worse_then_of_the_end():
    one = alert("a", "low")
    assert due("log", [one], POLICY, now_ms=NOW) == [one]
    one = noted(one, "log", now_ms=NOW)
    assert due("log", [one], POLICY, now_ms=NOW + DAY_MS) == []
    assert due("mail", [one], POLICY, now_ms=NOW) == [one]
    worse = replace(one, severity="high")
    assert due("log", [worse], POLICY, now_ms=NOW + 1) == [worse]
    end = replace(noted(worse, "log", now_ms=NOW + 1), status="resolved")
    assert due("log", [end], POLICY, now_ms=NOW + 2) == [end]
    assert due("log", [noted(end, "log", now_ms=NOW + 2)], POLICY, now_ms=NOW + DAY_MS) == []


def test_in_the_quiet_time_only_what_is_more_severe_is_told_and_the_rest_waits():
    told = noted(alert("a", "medium"), "log", now_ms=NOW)
    same, worse = alert("b", "medium"), alert("c", "high")
    assert due("log", [told, same, worse], POLICY, now_ms=NOW + HOUR_MS) == [worse]
    assert due("log", [told, same], POLICY, now_ms=NOW + 5 * HOUR_MS) == []
    assert due("log", [told, same], POLICY, now_ms=NOW + 6 * HOUR_MS) == [same]


def test_nothing_below_the_least_severity_and_nothing_that_ended_unheard_is_told():
    assert due("log", [alert("a", "info")], POLICY, now_ms=NOW) == []
    assert due("log", [alert("a", status="resolved")], POLICY, now_ms=NOW) == []
    assert due("log", [alert("a", "info")], AlertPolicy(least_severity="info"), now_ms=NOW) != []


def test_a_notice_says_what_why_and_where():
    told = notice(alert("a", "high"), None, "https://va.example.com/", now_ms=NOW)
    assert told.subject == "[high] It fell."
    assert told.link == "https://va.example.com/findings/a"
    assert notice(alert("a"), None, "", now_ms=NOW).link == ""
