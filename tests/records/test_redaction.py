"""Personal data and secrets go before a text is kept; what only looks like them stays."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from noria.records.redaction import RECOGNISERS, Recogniser, of_pattern, redact
from noria.records.redaction.recognisers import luhn

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    ("text", "kept", "kind"),
    [
        ("write to ann.lee+it@mail.example.co.uk please", "write to [email] please", "email"),
        ("call +49 89 1234 5678 now", "call [phone] now", "phone"),
        ("call 089/1234567 now", "call [phone] now", "phone"),
        ("my number is (555) 010-4477.", "my number is [phone].", "phone"),
        ("0044 20 7946 0958", "[phone]", "phone"),
        ("card 4111 1111 1111 1111 was declined", "card [card] was declined", "card"),
        ("5500-0000-0000-0004", "[card]", "card"),
        ("pay to DE89 3704 0044 0532 0130 00 today", "pay to [iban] today", "iban"),
        ("my machine 10.20.30.40 is off", "my machine [ip] is off", "ip"),
        ("ping fe80::1ff:fe23:4567:890a fails", "ping [ip] fails", "ip"),
        ("loopback ::1.", "loopback [ip].", "ip"),
        (f"header {JWT}", "header [token]", "token"),
        ("key AKIAIOSFODNN7EXAMPLE leaked", "key [token] leaked", "token"),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer [token]", "token"),
        ("id 9f86d081884c7d659a2feaa0c55ad015", "id [token]", "token"),
        ("Password: hunter2!", "Password: [secret]", "secret"),
        ("https://ann:s3cret@host/x", "https://ann:[secret]@host/x", "secret"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[key]", "key"),
    ],
)
def test_it_is_found_and_blotted_out(text, kept, kind):
    found = redact(text)
    assert found.text == kept
    assert found.counts == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "my password is wrong", "password: reset please", "error 0x80070005 in version 10.0.19041.1288",
        "on 2026-01-05 at 10:30:15", "ticket 4711 of 12.01.2026", "std::vector and a::b", "order 4111111111111112",
        "install-the-new-printer-driver-for-windows-today", "room 3.14, floor 2", "a@b", "@ann look", "1000000",
        "", "vpn down", "16 GB, 1920x1080, 5.4 GHz",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_stays(text):
    assert redact(text).text == text
    assert redact(text).counts == {}


@given(st.text(max_size=200))
@example("a@b.c 1.1.1.1")
def test_a_redacted_text_stays_as_it_is(text):
    once = redact(text)
    assert redact(once.text) == type(once)(once.text, {})


@given(st.text(max_size=60), st.emails(domains=st.just("example.com")), st.text(max_size=60))
def test_an_address_never_survives_whatever_stands_around_it(before, email, after):
    name = email.split("@", maxsplit=1)[0]
    if not name.isalnum():
        return
    kept = redact(f"{before} {email} {after}").text
    assert f" {email} " not in kept


@given(st.text("0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_makes_a_card_number(digits):
    assert sum(luhn(digits + last) for last in "0123456789") == 1


def test_a_recogniser_of_ones_own_is_plugged_in_and_the_earlier_names_the_place():
    badge = of_pattern("badge", r"\bB\d{5}\b")
    assert redact("badge B12345 of ann@x.org", (badge, *RECOGNISERS)).text == "badge [badge] of [email]"
    everything = Recogniser("all", lambda text: [(0, len(text))])
    assert redact("ann@x.org", (everything, *RECOGNISERS)).text == "[all]"


@pytest.mark.parametrize(
    "piece", ["1 ", "a.", "a@", "-", "(", "1:", "AB12 ", "password=", "bearer ", "://a:", "\u0661"]
)
def test_a_very_long_text_is_done_with(piece):
    """A shape that backtracks would not come to an end within a life of a test run."""
    once = redact(piece * 100_000)
    assert redact(once.text).counts == {}
