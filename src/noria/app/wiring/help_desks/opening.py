"""An account's help desk by its settings; keys and secrets come from the environment alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from noria.app.home import Home
from noria.app.settings import DeskSettings
from noria.errors import UsageError
from noria.ports.help_desk import HelpDesk
from noria.serve.help_desk import AccountDesk

if TYPE_CHECKING:
    from noria.connect.files_desk import FilesDesk


def open_help_desk(
    home: Home, account: str, desk: DeskSettings, now_ms: Callable[[], int], closing: ExitStack
) -> HelpDesk:
    """The help desk of an account; `closing` closes its connections.

    Raises:
        UsageError: the environment holds no key for it.
    """
    if desk.kind == "files":
        from noria.connect.files_desk import FilesDesk

        folder = home.path / (desk.folder or f"help-desk/{account}")
        return FilesDesk(folder, now_ms, private_notes=desk.private_notes)
    import stamina

    from noria.connect.freshservice import FreshserviceClient, FreshserviceDesk

    stamina.instrumentation.set_on_retry_hooks(())  # its log of each repeated call names no call; what fails, we tell
    key = os.environ.get(desk.key_env, "")
    if not key:
        raise UsageError(
            f"no API key for the help desk of {account}: put it into the environment variable {desk.key_env} "
            "(its name is key_env in [help_desk])."
        )
    client = FreshserviceClient(desk.url, key, key_name=desk.key_env, share=desk.share)
    closing.callback(client.close)
    return FreshserviceDesk(client, private_notes=desk.private_notes, mark_field=desk.mark_field, fields=desk.fields)


def secret_of(desk: DeskSettings) -> str:
    """What a desk's webhook shows; "" = nobody may ring."""
    return os.environ.get(desk.webhook_env, "") if desk.webhook_env else ""


def files_desk(at: AccountDesk) -> FilesDesk:
    """The desk of plain files of an account.

    Raises:
        UsageError: its desk is another; people work there, not here.
    """
    from noria.connect.files_desk import FilesDesk

    if not isinstance(at.desk, FilesDesk):
        raise UsageError(f"the help desk of {at.account} is no folder of files: answer on its own pages.")
    return at.desk
