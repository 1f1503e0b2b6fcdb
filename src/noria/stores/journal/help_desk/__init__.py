"""The exchange with help desks in the journal: the outbox of hand-overs, and where reading goes on."""

from noria.stores.journal.help_desk.outbox import Outbox
from noria.stores.journal.help_desk.reading import DeskReading

__all__ = ["DeskReading", "Outbox"]
