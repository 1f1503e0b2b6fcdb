"""Who may do what, and conversations, in the journal: keys, rules of accounts, audit, sessions, erasure."""

from noria.stores.journal.access.door import AccessDoor
from noria.stores.journal.access.leases import LeaseDoor
from noria.stores.journal.access.sessions import SessionDoor

__all__ = ["AccessDoor", "LeaseDoor", "SessionDoor"]
