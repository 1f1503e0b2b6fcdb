"""The real counterparts of the ports. Only the wiring of the app imports this room."""

from noria.connect.builtin_desk import BuiltinDesk

__all__ = ["BuiltinDesk"]
