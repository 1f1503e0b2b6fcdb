"""Exchanges with the help desks of a home: at a command, or by itself in a server."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from noria.app.home import Home
from noria.app.settings import help_desk
from noria.app.wiring.help_desks.opening import open_help_desk, secret_of
from noria.errors import NoriaError, NotFound
from noria.ports.help_desk import Later
from noria.records import Article, BacklogItem, Receipt
from noria.records.redaction import RECOGNISERS, redact
from noria.records.serving.help_desk import DELIVERY_STATES
from noria.serve.help_desk import AccountDesk, deliver, file_items, follow, pull_articles
from noria.stores import Stores

_ARTICLES = "help_desk.articles"
_HURRY_MS, _COUNT_MS, _AGAIN_MS = 5_000, 60_000, 300_000
_ANY_HOURS = 1e6


class HelpDesks:
    """The help desks of a home's accounts.

    Several processes may exchange at once: each round of a server is taken by one, and a hand-over is sent by one.

    Args:
        home: its settings say which accounts have a desk.
        stores: of the home.
        now_ms: the clock, UTC milliseconds.
    """

    def __init__(self, home: Home, stores: Stores, now_ms: Callable[[], int]) -> None:
        self._home, self._stores, self._now_ms = home, stores, now_ms
        self.settings = help_desk(home.settings)
        self._opened: dict[str, AccountDesk] = {}
        self._delivered_ms: dict[str, int] = {}
        self._states: dict[str, int] = {}
        self._counted_ms: int | None = None
        self._closing = ExitStack()

    def __bool__(self) -> bool:
        return bool(self.settings.accounts)

    def desk(self, account: str) -> AccountDesk:
        """The account's desk. NotFound: it has none. UsageError: its key is missing."""
        if account not in self.settings.accounts:
            raise NotFound("help desk of an account", account, self.settings.accounts, "Write it into [help_desk].")
        if account not in self._opened:
            how = self.settings.accounts[account]
            opened = open_help_desk(self._home, account, how, self._now_ms, self._closing)
            self._opened[account] = AccountDesk(account, opened, how.requester)
        return self._opened[account]

    def deliver(self, account: str, *, old: bool = False) -> Receipt:
        """Sends the hand-overs of an account that are due; with `old` also those that are left to a person."""
        policy = replace(self.settings.policy, oldest_hours=_ANY_HOURS) if old else self.settings.policy
        keep = self._keeper(account)
        return self._told(
            account,
            lambda at: deliver(self._stores.journal, at, policy, self._now_ms, keep=keep),
        )

    def file(self, account: str, items: Sequence[BacklogItem]) -> Receipt:
        """Makes tickets of items of the backlog at an account's desk (see `file_items`)."""
        keep, policy = self._keeper(account), self.settings.policy
        return self._told(
            account, lambda at: file_items(self._stores.journal, at, items, policy, self._now_ms, keep=keep)
        )

    def follow(self, account: str) -> Receipt:
        """Looks what became of an account's tickets."""
        return self._told(account, lambda at: follow(self._stores.journal, at, self.settings.policy, self._now_ms))

    def articles(self, account: str, *, whole: bool = False) -> Receipt:
        """Brings an account's articles into the lake."""
        table = self.table()
        if not table:
            said = f"{account}: articles wait for a first release, or for [help_desk] articles to name their table."
            return Receipt("serve", {}, {"account": account}, warnings=(said,))

        def pull(at: AccountDesk) -> Receipt:
            now = self._now_ms()
            receipt = pull_articles(self._stores, at, self.settings.policy, table, now_ms=now, whole=whole)
            if sum(receipt.counts.get(name, 0) for name in ("added", "changed", "removed")):
                self._stores.journal.set_state(_ARTICLES, {"table": table, "version": receipt.ids["articles"]})
            return receipt

        return self._told(account, pull)

    def table(self) -> str:
        """The articles table; "" where nothing names one."""
        if self.settings.articles:
            return self.settings.articles
        live = self._stores.journal.current_release()
        if live is None:
            return ""
        return live.candidate.articles.name if live.candidate.articles else live.candidate.examples.name

    def stocked(self, known: str) -> tuple[str, Sequence[Article]] | None:
        """What a live agent is to answer with, and its name, unless that is `known`; None also where it has its own."""
        kept = self._stores.journal.get_state(_ARTICLES)
        live = self._stores.journal.current_release()
        # a new release may have been made with newer articles than were pulled last
        name = f"{kept['version']} {live.release}" if kept and live else ""
        if not kept or not name or name == known:
            return None
        return name, self._stores.lake.articles(kept["table"])[1]

    def round(self) -> list[Receipt]:
        """Does what is due at every desk, as a server does again and again."""
        policy, now = self.settings.policy, self._now_ms()
        reading = self._stores.journal.desk_reading
        due_ms, done = reading.due_ms(), []
        for account in self.settings.accounts:
            if reading.held_until_ms(account) > now:  # nothing is done, said, or put off until it may be called again
                continue
            pause_ms = round(policy.deliver_every_s * 1000)
            # needs no turn: a hand-over is claimed by one process
            if pause_ms and not _just_now(self._delivered_ms.get(account), now, pause_ms):
                self._delivered_ms[account] = now
                done.append(self.deliver(account))
            for stream, seconds, read in (
                ("tickets", policy.follow_every_s, self.follow),
                ("articles", policy.articles_every_s, self.articles),
            ):
                pause_ms = round(seconds * 1000)
                # later than two pauses: the clock has been set back since
                due = pause_ms > 0 and not now < due_ms.get((account, stream), 0) <= now + 2 * pause_ms
                if due and reading.take_turn(account, stream, now, now + pause_ms):
                    receipt = read(account)
                    if not receipt.counts:  # it failed: what was withdrawn must not show for a whole pause more
                        reading.hurry(account, stream, now + _AGAIN_MS)
                    done.append(receipt)
        return done

    def states(self) -> dict[str, int]:
        """State → hand-overs, of all accounts with a desk; counted once a minute."""
        now = self._now_ms()
        if not _just_now(self._counted_ms, now, _COUNT_MS):
            self._counted_ms = now
            counts = self._stores.journal.outbox.counts()
            every: Counter[str] = Counter({str(state): 0 for state in DELIVERY_STATES})
            for account in self.settings.accounts:
                every.update(counts.get(account, {}))
            self._states = dict(every)
        return self._states

    def everything(self) -> list[Receipt]:
        """Sends, follows and reads articles at every desk once, due or not."""
        done = []
        for account in self.settings.accounts:
            done += [self.deliver(account), self.follow(account), self.articles(account)]
        return done

    def ring(self, account: str, secret: str, ticket_id: str) -> bool:
        """Notes that an account's desk rang about a ticket, to be read soon; False where the secret is not its own."""
        known = secret_of(self.settings.accounts[account]) if account in self.settings.accounts else ""
        # compared even where there is none, so that an answer's time tells nothing of which accounts there are
        if not hmac.compare_digest(known.encode(), secret.encode()) or not known:
            return False
        if ticket_id:
            now = self._now_ms()
            self._stores.journal.desk_reading.ring(account, ticket_id, now)
            self._stores.journal.desk_reading.hurry(account, "tickets", now + _HURRY_MS)
        return True

    def close(self) -> None:
        """Closes the connections."""
        self._closing.close()
        self._opened = {}

    def _keeper(self, account: str) -> Callable[[str], str]:
        """What takes out of an account's texts what may not leave."""
        rules = {rule.account: rule.redact for rule in self._stores.journal.access.rules()}
        return lambda text: redact(text, RECOGNISERS).text if rules.get(account, True) else text

    def _told(self, account: str, what: Callable[[AccountDesk], Receipt]) -> Receipt:
        """A receipt in any case: one desk that fails does not keep the others."""
        try:
            return what(self.desk(account))
        except NoriaError as error:
            if isinstance(error, Later):
                until_ms = self._now_ms() + round(error.after_s * 1000)
                self._stores.journal.desk_reading.hold(account, until_ms)
            return Receipt("serve", {}, {"account": account}, warnings=(f"{account}: {error}",))


def _just_now(time_ms: int | None, now_ms: int, pause_ms: int) -> bool:
    """Whether a time is less than a pause ago; one that is still to come is of a clock that was set back."""
    return time_ms is not None and 0 <= now_ms - time_ms < pause_ms
