"""After the alarm: windows are brought up to date and findings explained with what the house knows happened."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.house import examples, open_house, open_stores, train
from tests.monitor.test_explain import CHANGE_MS, FINDING, NOW_MS, add
from tests.monitor.test_windows import settled

from noria.errors import OutsideError
from noria.loop import turn
from noria.loop.watching import around_now, watch
from noria.monitor.alerting import AlertPolicy
from noria.monitor.windows.reading import by_slice
from noria.records import DAY_MS, HOUR_MS
from noria.release import GatePolicy, consider, roll_out


@pytest.fixture
def stores(tmp_path):
    made = open_stores(tmp_path)
    yield made
    made.close()


def test_the_watch_makes_windows_and_explains_what_was_found(stores):
    for number in range(40):
        add(stores, number, CHANGE_MS + (number - 20) * 6 * HOUR_MS, "vpn", number < 20)
    stores.journal.settle(settled)
    stores.journal.add_findings([FINDING])
    receipt = watch(open_house(stores), now_ms=NOW_MS)
    assert receipt.counts["explained"] == 1
    assert stores.journal.watching.explanation(FINDING.finding_id).n_after == 20
    whole = by_slice(stores, since_ms=CHANGE_MS - 10 * DAY_MS, until_ms=NOW_MS)[0]
    assert (whole.predictions, whole.labels) == (40, 40)
    assert watch(open_house(stores), now_ms=NOW_MS + 60 * DAY_MS).counts["explained"] == 0


def test_what_happened_is_read_from_ledger_and_lake(stores):
    candidate = train(stores, examples(), time_ms=5)
    verdict = consider(stores, candidate, [], GatePolicy(margin=0.3), time_ms=6)
    roll_out(stores, candidate, verdict, time_ms=6)
    told = {h.kind: h.sentence for h in around_now(stores).happenings}
    assert told["release"].startswith("Release r0001 went live")
    assert "of the data it was written" in told["data"]
    assert "of the articles it was written" in told["articles"]


def test_a_turn_lets_the_watch_look_on(stores):
    candidate = train(stores, examples(), time_ms=5)
    roll_out(stores, candidate, consider(stores, candidate, [], GatePolicy(margin=0.3), time_ms=6), time_ms=6)
    house = open_house(stores)
    done = turn(replace(house, watch=lambda now_ms: watch(house, now_ms=now_ms)), now_ms=DAY_MS, turn_id="t1")
    assert "monitor.watch" in [r.room for r in done.receipts]


class Recording:
    """A channel that keeps what it was told, or is out of reach."""

    def __init__(self, name, *, down=False):
        self.name, self.down, self.told = name, down, []

    def tell(self, notice):
        if self.down:
            raise OutsideError("nobody is there.", retry_helps=True)
        self.told.append(notice)


def test_each_channel_is_told_once_and_one_that_is_down_is_made_up_for(stores):
    for number in range(40):
        add(stores, number, CHANGE_MS + (number - 20) * 6 * HOUR_MS, "vpn", number < 20)
    stores.journal.settle(settled)
    stores.journal.add_findings([FINDING, replace(FINDING, finding_id="new-2", metric="new_domain")])
    up, down = Recording("up"), Recording("down", down=True)
    house = replace(open_house(stores), channels=(down, up), address="https://va.example.com")
    receipt = watch(house, now_ms=NOW_MS)
    assert receipt.counts["told"] == 1
    assert "the channel down took no alert" in receipt.warnings[0]
    (told,) = up.told
    assert told.alert.finding_ids == ("new-2", "success-1")
    assert told.link == "https://va.example.com/findings/new-2"
    down.down = False
    watch(house, now_ms=NOW_MS + HOUR_MS)
    assert (len(up.told), len(down.told)) == (1, 1)


def test_an_alert_ends_when_the_rate_is_back_and_the_end_is_told(stores):
    for number in range(120):
        add(stores, number, CHANGE_MS + number * 6 * HOUR_MS, "vpn", number % 10 != 0 and not 0 <= number < 12)
    stores.journal.settle(settled)
    stores.journal.add_findings([FINDING])
    channel = Recording("log")
    house = replace(open_house(stores, alert=AlertPolicy(settled_labels=20)), channels=(channel,))
    watch(house, now_ms=CHANGE_MS + 4 * DAY_MS)
    assert [n.alert.status for n in channel.told] == ["open"]
    watch(house, now_ms=CHANGE_MS + 30 * DAY_MS)
    assert [n.alert.status for n in channel.told] == ["open", "resolved"]
    assert "is back at" in channel.told[1].subject
    watch(house, now_ms=CHANGE_MS + 31 * DAY_MS)
    assert len(channel.told) == 2


def test_a_slice_is_explained_and_ended_by_its_own_labels(stores):
    """One account of two falls for good: told as that account's, and open while only the other is well."""
    for number in range(480):
        time_ms, acme = CHANGE_MS + (number - 240) * 2 * HOUR_MS, number % 4 == 0
        right = number % 16 == 0 if acme and number >= 240 else number % 10 != 0
        add(stores, number, time_ms, "vpn", right, account="acme" if acme else "birch")
    stores.journal.settle(settled)
    stores.journal.add_findings([replace(FINDING, slice="account=acme", before=0.9, after=0.2)])
    house = open_house(stores, alert=AlertPolicy(settled_labels=15))
    watch(house, now_ms=CHANGE_MS + 20 * DAY_MS)
    told = stores.journal.watching.explanation(FINDING.finding_id)
    assert (told.n_before, told.n_after) == (57, 60)
    assert told.sentences[0].startswith("Success on in-scope queries with account acme fell by ")
    assert told.after < 0.4
    assert [a.status for a in stores.journal.watching.alerts()] == ["open"]


def test_a_drop_that_joins_a_shift_is_told_with_its_own_reasons(stores):
    for number in range(40):
        add(stores, number, CHANGE_MS + (number - 20) * 6 * HOUR_MS, "vpn", number < 20)
    stores.journal.settle(settled)
    shift = replace(
        FINDING, finding_id="a", metric="words", stream="text", raised_ms=CHANGE_MS, sentence="Words changed."
    )
    channel = Recording("log")
    house = replace(open_house(stores), channels=(channel,), address="https://va.example.com")
    stores.journal.add_findings([shift])
    watch(house, now_ms=NOW_MS)
    assert channel.told == []
    stores.journal.add_findings([FINDING])
    watch(house, now_ms=NOW_MS + HOUR_MS)
    (told,) = channel.told
    assert told.subject == "[high] fell"
    assert told.sentences[1].startswith("Success on in-scope queries fell by 100.0 points")
    assert told.link == "https://va.example.com/findings/success-1"


def test_who_takes_an_alert_while_it_is_being_sent_keeps_it(stores):
    for number in range(40):
        add(stores, number, CHANGE_MS + (number - 20) * 6 * HOUR_MS, "vpn", number < 20)
    stores.journal.settle(settled)
    stores.journal.add_findings([FINDING])

    class Slow(Recording):
        def tell(self, notice):
            super().tell(notice)
            stores.journal.watching.change_alert(FINDING.finding_id, status="acknowledged", acknowledged_by="ann")

    house = replace(open_house(stores), channels=(Slow("mail"),))
    watch(house, now_ms=NOW_MS)
    (kept,) = stores.journal.watching.alerts()
    assert (kept.status, kept.acknowledged_by, set(kept.told)) == ("acknowledged", "ann", {"mail"})
