"""Readies the pages right after a start: libraries, templates, and the figures of the first one."""

from __future__ import annotations

import logging

from noria.app.http import figures
from noria.app.http.house import House
from noria.app.http.rendering import compile_all, render

_log = logging.getLogger("noria.http")


def warm(house: House) -> None:
    """Makes the first page for nobody. Where no windows were made it would read every label, so nothing is done.

    May block for a second. What goes wrong is no harm: whoever opens the page is told.
    """
    try:
        if house.watching.counted():
            render("performance.html", page="performance", **figures.page(house.performance()))
            house.watching.experiments()
            compile_all()
    except Exception as error:  # noqa: BLE001 - a page's own request says it better
        _log.debug("the pages were not made ready: %s", error)
