"""The port of what tells people of alerts."""

from __future__ import annotations

from typing import Protocol

from noria.records.findings import Notice


class AlertChannel(Protocol):
    """Tells people. `name` is unique among the channels of a home, and kept with what was told."""

    @property
    def name(self) -> str: ...

    def tell(self, notice: Notice) -> None:
        """Hands a notice over; when it returns, the other side has it.

        Raises:
            OutsideError: it was not taken; it is told again with the next turn.
        """
        ...
