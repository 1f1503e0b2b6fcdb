"""[help_desk]: every slip is named, and no key stands in the file."""

from __future__ import annotations

import pytest

from noria.app.home import create_home, open_home
from noria.app.settings import help_desk
from noria.app.wiring import now_ms, open_stores
from noria.app.wiring.help_desks import HelpDesks
from noria.connect.files_desk import FilesDesk
from noria.connect.freshservice import FreshserviceDesk
from noria.errors import NotFound, UsageError


@pytest.fixture
def opened(tmp_path):
    """A function: text of noria.toml → the opened home."""
    create_home(tmp_path / "home")

    def run(text):
        (tmp_path / "home" / "noria.toml").write_text(text)
        return open_home(tmp_path / "home")

    return run


TWO = """
[help_desk]
follow_every_s = 60
[help_desk.accounts.acme]
kind = "freshservice"
url = "https://acme.freshservice.com"
key_env = "NORIA_TEST_DESK_KEY"
webhook_env = "NORIA_TEST_DESK_BELL"
[help_desk.accounts.birch]
"""


def test_each_account_has_its_own_desk(opened):
    settings = help_desk(opened(TWO).settings)
    assert settings.policy.follow_every_s == 60
    assert (settings.accounts["acme"].kind, settings.accounts["birch"].kind) == ("freshservice", "files")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[help_desk]\nfolow_every_s = 1\n", "Did you mean 'follow_every_s'"),
        ('[help_desk]\nfollow_every_s = "often"\n', "is not a number"),
        ("[help_desk]\narticles = 3\n", "articles = 3 is not a text"),
        ("[help_desk]\naccounts = 3\n", r"write \[help_desk.accounts.NAME\]"),
        ("[help_desk.accounts]\nacme = 3\n", r"write \[help_desk.accounts.NAME\]"),
        ('[help_desk.accounts.acme]\nkind = "freshdesk"\n', "Did you mean 'freshservice'"),
        ('[help_desk.accounts.acme]\nkey = "abc"\n', "unknown setting 'key'"),
        ('[help_desk.accounts.acme]\nkind = "freshservice"\n', "is no address"),
        ('[help_desk.accounts.acme]\nkind = "freshservice"\nurl = "http://acme.example"\n', "is no address"),
        ('[help_desk.accounts.acme]\nkind = "freshservice"\nurl = "http://127.0.0.1.evil.example"\n', "is no address"),
        ('[help_desk.accounts.acme]\nkind = "freshservice"\nurl = "https://"\n', "is no address"),
        ("[help_desk.accounts.acme]\nshare = 2\n", "at most 1"),
        ("[help_desk]\ndeliver_every_s = -15\n", r"deliver_every_s = -15.0 is not a number from 0 on"),
        ("[help_desk]\nlease_s = nan\n", "lease_s = nan is not a number"),
        ("[help_desk]\nmost_sends = 0\n", "most_sends = 0 is not a number from 1 on"),
    ],
)
def test_a_slip_is_named(opened, text, words):
    with pytest.raises(UsageError, match=words):
        opened(text)


@pytest.fixture
def desks(opened):
    home = opened(TWO)
    stores = open_stores(home)
    made = HelpDesks(home, stores, now_ms)
    yield made
    made.close()
    stores.close()


def test_the_key_comes_from_the_environment_and_its_absence_is_told_by_name(desks, monkeypatch):
    with pytest.raises(UsageError, match="NORIA_TEST_DESK_KEY"):
        desks.desk("acme")
    assert "NORIA_TEST_DESK_KEY" in desks.deliver("acme").warnings[0]
    monkeypatch.setenv("NORIA_TEST_DESK_KEY", "secret")
    assert isinstance(desks.desk("acme").desk, FreshserviceDesk)
    assert isinstance(desks.desk("birch").desk, FilesDesk)
    with pytest.raises(NotFound, match="Did you mean 'birch'"):
        desks.desk("birhc")


def test_only_the_secret_of_an_account_rings_its_bell(desks, monkeypatch):
    assert not desks.ring("acme", "", "7")
    monkeypatch.setenv("NORIA_TEST_DESK_BELL", "bell")
    assert not desks.ring("acme", "bel", "7")
    assert not desks.ring("birch", "", "7")
    assert not desks.ring("nobody", "bell", "7")
    assert desks.ring("acme", "bell", "7")
    assert desks.ring("acme", "bell", "")
    assert set(desks._stores.journal.desk_reading.rung("acme")) == {"7"}


class Rounds:
    """Desks of a home whose clock is set by hand; `acme` has no key, so reading it fails."""

    def __init__(self, home):
        self.at_ms, self.stores = 1_800_000_000_000, open_stores(home)
        self.desks = HelpDesks(home, self.stores, lambda: self.at_ms)

    def accounts(self):
        return [receipt.ids["account"] for receipt in self.desks.round()]

    def due_ms(self):
        return {key: due - self.at_ms for key, due in self.stores.journal.desk_reading.due_ms().items()}


@pytest.fixture
def rounds(opened):
    made = Rounds(opened(TWO.replace("[help_desk]", '[help_desk]\narticles = "it"')))
    yield made
    made.desks.close()
    made.stores.close()


def test_a_desk_that_is_not_to_be_called_loses_no_turn(rounds):
    rounds.stores.journal.desk_reading.hold("acme", rounds.at_ms + 60_000)
    assert rounds.accounts() == ["birch"] * 3
    assert ("acme", "articles") not in rounds.due_ms()
    rounds.at_ms += 61_000
    assert "acme" in rounds.accounts()


def test_what_could_not_be_read_is_tried_again_before_its_pause_is_over(rounds):
    rounds.accounts()
    due_ms = rounds.due_ms()
    assert (due_ms["acme", "articles"], due_ms["birch", "articles"]) == (300_000, 3_600_000)
    assert due_ms["acme", "tickets"] == 60_000


def test_a_clock_that_is_set_back_stops_no_exchange(rounds):
    rounds.accounts()
    assert rounds.accounts() == []
    rounds.at_ms -= 86_400_000
    assert rounds.accounts() == ["acme"] * 3 + ["birch"] * 3
    assert rounds.accounts() == []
