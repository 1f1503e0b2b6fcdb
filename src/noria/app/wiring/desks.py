"""Where people label: the built-in desk, or a Label Studio."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from noria.app.home import Home
from noria.app.label_studio.server import label_studio_address
from noria.app.settings import label_desk
from noria.connect.builtin_desk import BuiltinDesk
from noria.stores import Stores

if TYPE_CHECKING:
    from noria.connect.label_studio import LabelStudioDesk
    from noria.ports import LabelDesk


def open_desk(home: Home, stores: Stores) -> LabelDesk:
    """Where this home's label tasks go."""
    if label_desk(home.settings) == "label_studio":
        return label_studio_desk(home, stores)
    return BuiltinDesk(stores.journal)


def label_studio_desk(home: Home, stores: Stores) -> LabelStudioDesk:
    """The desk on the Label Studio of the settings, or on the one that `noria label-studio up` starts.

    Raises:
        UsageError: no token is set. StateError: the home's own server was never started.
    """
    from noria.connect.label_studio import LabelStudioClient, LabelStudioDesk

    url, token = label_studio_address(home, os.environ)
    home.label_studio.mkdir(exist_ok=True)
    title = home.settings.label_studio.project or f"Noria {home.path.name}"

    def scope() -> set[str]:
        from noria.loop.scope import scope_of

        live = stores.journal.current_release()
        return scope_of(stores, live.candidate) if live else set()

    client = LabelStudioClient(url, token)
    return LabelStudioDesk(client, stores.journal, title=title, lock=home.label_studio / "exchange.lock", scope=scope)
