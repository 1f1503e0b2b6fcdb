"""Text rules say what they do, and their screens never hide a text that a rule would change."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.build.cleaning.rows import _apply
from noria.build.cleaning.texts import BY_NAME
from noria.records.redaction import redact

PIECES = st.sampled_from(
    [
        "a",
        "Z9",
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "\x00",
        "\x1c",
        "<b>",
        "</p>",
        "<NAME>",
        "a < b",
        "&amp;",
        "> quoted\n",
        "-- \n",
        "On Monday Bob wrote:\n",
        "From: a\nSent: b\nTo: c\n",
        "Sent from my phone",
        "jane@example.com",
        "+49 170 1234567",
        "10.1.2.3",
        "fe80::1",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "password: hunter2!",
        "AKIAABCDEFGHIJKLMNOP",
        "Bearer abcdefghij0123456789",
        "https://u:p4ss@h",
        "x" * 40,
        "aB3" * 12,
        "é",
        "ｆ",
        "\u200b",
        "名前",
        "٣" * 9,
        "ſecret: p4ss",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=12).map("".join)


@pytest.mark.parametrize("name", sorted(BY_NAME))
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_a_screened_rule_is_the_rule(name, texts):
    changed, which = _apply(BY_NAME[name], pa.array(texts, pa.string()))
    plain = [BY_NAME[name].change(text) for text in texts]
    assert changed.to_pylist() == plain
    assert which.tolist() == [old != new for old, new in zip(texts, plain, strict=True)]


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("html", "<p>Hello <b>you</b></p>a &lt; b", "\nHello you\na < b"),
        ("html", "mask <EMAIL> and 1 < 2 stay", "mask <EMAIL> and 1 < 2 stay"),
        ("html", "<style>p {color: red}</style>text", "\ntext"),
        ("unicode", "ｆｕｌｌ\u200b ﬁne\r\nend\x00", "full fine\nend"),
        ("mail", "my words\nOn 3 Jun, Bob wrote:\n> old words", "my words\n"),
        ("mail", "my words\n> quoted\nmore", "my words\nmore"),
        ("mail", "my words\n-- \nJane\nSales", "my words\n"),
        ("mail", "> all of it is quoted", "> all of it is quoted"),
        ("mail", "words\nFrom: a@b\nSent: today\nTo: c\nold", "words\n"),
        ("whitespace", "  a \t b \n\n\n\n c ", "a b\n\nc"),
        ("redact", "write to jane@example.com", "write to [email]"),
    ],
)
def test_what_a_rule_does(rule, before, after):
    assert BY_NAME[rule].change(before) == after


def test_a_redacted_text_stays_as_it_is():
    text = "jane@example.com 10.1.2.3"
    assert redact(redact(text).text).text == redact(text).text
