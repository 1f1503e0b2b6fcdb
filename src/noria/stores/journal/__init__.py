"""The journal: traffic, labels, releases with their ledger, and the loop's records, in SQL; acknowledged = on disk."""

from noria.stores.journal.access import AccessDoor, SessionDoor
from noria.stores.journal.group_commit import GroupCommit
from noria.stores.journal.journal import Journal

__all__ = ["AccessDoor", "GroupCommit", "Journal", "SessionDoor"]
