"""Who shows what is who: keys, tokens of chats, signing in, limits of rate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.records.access import ROLES, AccountRules, ApiKey
from noria.serve.access import Keyring, RateLimit, hash_of, new_key
from noria.serve.access.keyring import CHAT_MS, SIGNED_IN_MS
from noria.serve.access.principal import LOCAL
from noria.serve.access.tokens import read, sign


class Store:
    """Keys and rules in memory."""

    def __init__(self) -> None:
        self.made: list[ApiKey] = []
        self.ruled: list[AccountRules] = []

    def keys(self):
        return self.made

    def rules(self):
        return self.ruled

    def secret(self, fresh):
        return "kept"

    def add(self, role, account="acme", name="k1", **fields):
        text = new_key(name, "s" * 40)
        self.made.append(ApiKey(name, hash_of(text), account, role, "", 0, **fields))
        return text


class Clock:
    now = 1_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def ring(store, clock):
    return Keyring(store, clock, "fresh", always=False)


def test_without_any_key_whoever_is_here_may_do_all_and_with_one_nobody_may_without(ring, store):
    assert not ring.demanded
    assert ring.who(None) == LOCAL
    text = store.add("reader")
    ring.refresh()
    assert ring.demanded
    assert ring.who(None) is None
    assert ring.who(text).account == "acme"


def test_on_another_host_keys_are_demanded_from_the_start(store, clock):
    assert Keyring(store, clock, "x", always=True).who(None) is None


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_it_is_for_and_only_an_admin_all(ring, store, role):
    text = store.add(role)
    ring.refresh()
    may = ring.who(text).may
    assert ("admin" in may) == (role == "admin")
    assert ("ask" in may) == (role != "reader")
    assert ("label" in may) == (role in {"agent", "operator", "admin"})
    assert ("figures" in may) == (role in {"reader", "operator", "admin"})
    assert ("agents" in ring.who(text).groups) == (role in {"agent", "operator", "admin"})


def test_a_key_that_is_wrong_revoked_or_has_run_out_opens_nothing(ring, store, clock):
    text = store.add("admin", expires_ms=5_000)
    ring.refresh()
    assert ring.who(text)
    for wrong in (text[:-1] + "x", text.replace("k1", "k2"), "nor_k1_", "nor_", "", "x", "nor_k1_" + "\ud800" * 40):
        assert ring.who(wrong) is None
    clock.now = 5_000
    assert ring.who(text) is None
    clock.now = 1_000
    store.made = [replace(store.made[0], revoked_ms=900)]
    ring.refresh()
    assert ring.who(text) is None


def test_a_key_is_kept_as_a_hash_only_and_must_be_long():
    text = new_key("k1", "s" * 40)
    assert "s" * 40 not in hash_of(text)
    with pytest.raises(UsageError, match="at least 32"):
        new_key("k1", "short")


def test_a_chats_token_is_tied_to_account_session_requester_and_groups_and_to_its_key(ring, store, clock):
    text = store.add("widget")
    ring.refresh()
    token = ring.chat_token(ring.who(text), "acme", "s1", "ann", ["vip"])
    who = ring.who(token)
    assert (who.account, who.session, who.requester, who.groups) == ("acme", "s1", "ann", ("vip",))
    assert not who.speaks_for_readers
    assert "open_session" not in who.may
    clock.now += CHAT_MS
    assert ring.who(token) is None
    clock.now = 1_000
    store.made = []
    ring.refresh()
    assert ring.who(token) is None


@given(place=st.integers(0, 10_000), sign_=st.characters(codec="ascii"))
def test_a_token_that_was_changed_in_any_place_opens_nothing(place, sign_):
    token = sign("nos", {"a": "acme", "s": "s1"}, "secret")
    place %= len(token)
    changed = token[:place] + sign_ + token[place + 1 :]
    got = read("nos", changed, "secret")
    assert got is None or changed == token or got == {"a": "acme", "s": "s1"}


@given(st.text(max_size=80))
def test_no_text_is_taken_for_a_token_or_breaks_the_reader(text):
    assert read("nos", f"nos_{text}", "secret") is None


def test_a_token_is_good_for_its_own_purpose_only(ring, store):
    text = store.add("admin", "*")
    ring.refresh()
    cookie = ring.sign_in(text)
    assert ring.signed_in(cookie).name == "k1"
    assert ring.who(cookie) is None
    assert ring.signed_in(ring.chat_token(ring.who(text), "acme", "s", "", [])) is None
    assert ring.form_token(cookie) != ring.form_token(cookie + "x")


def test_signing_in_lasts_hours_and_ends_with_the_key(ring, store, clock):
    text = store.add("reader", "*")
    ring.refresh()
    cookie = ring.sign_in(text)
    clock.now += SIGNED_IN_MS - 1
    assert ring.signed_in(cookie)
    clock.now += 1
    assert ring.signed_in(cookie) is None
    assert ring.sign_in("nor_k1_wrong") is None


def test_a_minutes_worth_may_come_at_once_and_then_drips():
    now = [0.0]
    rate = RateLimit(lambda: now[0])
    assert [rate.wait("a", 3) for _ in range(3)] == [0, 0, 0]
    assert rate.wait("a", 3) == pytest.approx(20)
    assert rate.wait("b", 3) == 0
    now[0] = 20.0
    assert rate.wait("a", 3) == 0
    assert rate.wait("a", 3) > 0
    assert [rate.wait("c", 0) for _ in range(100)] == [0] * 100


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(1, 20))
def test_never_more_than_the_burst_and_the_drip_come_through(pauses, per_minute):
    now = [0.0]
    rate, through = RateLimit(lambda: now[0]), 0
    for pause in pauses:
        now[0] += pause
        through += rate.wait("a", per_minute) == 0
    assert through <= per_minute + now[0] * per_minute / 60 + 1e-6
