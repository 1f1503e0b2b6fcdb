"""Help desks by account: opened from the settings, and exchanged with."""

from noria.app.wiring.help_desks.exchange import HelpDesks
from noria.app.wiring.help_desks.opening import files_desk, open_help_desk, secret_of

__all__ = ["HelpDesks", "files_desk", "open_help_desk", "secret_of"]
