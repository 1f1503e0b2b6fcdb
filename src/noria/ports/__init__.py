"""Small protocols for what has more than one real counterpart; the counterparts live in `connect`."""

from noria.ports.label_desk import DeskStatus, LabelDesk

__all__ = ["DeskStatus", "LabelDesk"]
