"""Made-up data for the agent's tests: a small help desk, spelled out by rule so that every run has the same rows."""

from __future__ import annotations

import itertools
from functools import cache

from noria.agent import Agent, Recipe, fit
from noria.records import IRRELEVANT, OOS, SMALL_TALK, Article, Example

_SAID = {
    "book_room": (("book", "reserve", "find me"), ("a meeting room", "the big room", "a room for four people")),
    "door_badge": (("my badge", "the entrance card", "my access card"), ("does not open the door", "is lost", "broke")),
    "printer_jam": (("the printer", "our copier", "printer two"), ("is jammed", "eats the paper", "shows a paper jam")),
    "reset_password": (
        ("reset", "i forgot", "please change"),
        ("my password", "the login password", "my sign-in code"),
    ),
    "slow_laptop": (("my laptop", "the computer", "this notebook"), ("is very slow", "freezes all day", "hangs again")),
}
_ENDS = ("", " please", " since monday")
_FOREIGN = (
    ("how do i cook", "what is the price of", "where grows"),
    ("rice with saffron", "a bag of onions", "the oldest oak tree", "sourdough bread"),
)
_NOISE = ("qwpo zxmn", "lottery winner click here", "la la la la", "cheap gold watches", "xx yy zz", "asdf asdf asdf")
_TALK = ("hello there", "good morning", "thanks a lot", "hi", "thank you so much", "good bye", "hey you", "many thanks")

ARTICLES = (
    Article(
        "a-badge", "Report a lost badge", "Call the gate. They block the badge and print another.", ("door_badge",)
    ),
    Article("a-jam", "Clear a paper jam", "Open the tray of the printer, pull out the paper.", ("printer_jam",)),
    Article("a-password", "Choose another password", "Open the sign-in page; press reset.", ("reset_password",)),
    Article("a-room", "Book a room", "Open the calendar and pick a room.", ("book_room",)),
    Article("b-room", "Book a room at Birch", "Ring the front desk of Birch.", ("book_room",), account="birch"),
    Article("z-nothing", "House rules", "Keep the kitchen clean."),
)


@cache
def examples() -> tuple[Example, ...]:
    """Five intents of 27 rows, 24 foreign rows of each kind, 8 of small talk; no split."""
    rows = []
    for intent, (starts, middles) in _SAID.items():
        for number, parts in enumerate(itertools.product(starts, middles, _ENDS)):
            start, middle, end = parts
            rows.append(Example(f"{intent}-{number:02}", f"{start} {middle}{end}", intent))
    foreign = [" ".join(p) for p in itertools.product(*_FOREIGN)]
    rows += [
        Example(f"oos-{n:02}", text + end, OOS) for n, (text, end) in enumerate(itertools.product(foreign, ("", "?")))
    ]
    noise = [f"{a} {b}" for a, b in itertools.product(_NOISE, _NOISE[:4])]
    rows += [Example(f"noise-{n:02}", text, IRRELEVANT) for n, text in enumerate(noise)]
    rows += [Example(f"talk-{n:02}", text, SMALL_TALK) for n, text in enumerate(_TALK)]
    return tuple(rows)


@cache
def agent() -> Agent:
    """An agent fitted on all of it."""
    return fit(examples(), ARTICLES, Recipe())
