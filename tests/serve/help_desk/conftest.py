"""A journal, a clock and a fake desk for each test."""

from __future__ import annotations

import pytest
from tests.serve.help_desk.made_up_exchange import Clock, desk_on, new_fake

from noria.serve.help_desk import AccountDesk
from noria.stores.journal import Journal


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    yield opened
    opened.close()


@pytest.fixture
def fake(clock):
    return new_fake(clock)


@pytest.fixture
def at(fake):
    return AccountDesk("acme", desk_on(fake))
