"""What MLflow takes of a run: names, lengths, and the tags by which a run is found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from noria.errors import UsageError
from noria.records import DataVersion

TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LONGEST_PARAM, _LONGEST_TAG = 6000, 8000  # MLflow cuts off the rest


def tags_of(tag: str, data: Sequence[tuple[str, DataVersion, str]], not_finite: Mapping[str, float]) -> dict[str, str]:
    """The tags by which MLflow finds a run: its own, its data, which metrics were not finite."""
    tags = {"noria.tag": tag}
    if not_finite:
        tags["noria.not_finite"] = ", ".join(f"{k}={v}" for k, v in sorted(not_finite.items()))[:_LONGEST_TAG]
    for context, version, uri in data:
        at = f"data.{context}"
        tags |= {at: f"{version.kind}/{version.ref}", f"{at}.sha256": version.sha256, f"{at}.uri": uri}
    return tags


def check_run(
    tag: str,
    params: Mapping[str, str],
    data: Sequence[tuple[str, DataVersion, str]],
    artifacts: Mapping[str, bytes],
    *,
    reserved: str,
) -> None:
    """Refuses what MLflow would cut off, or a file that is not the caller's (`reserved`).

    Raises:
        UsageError: a name or value is not allowed.
    """
    if not TAG.fullmatch(tag):
        raise UsageError(f"{tag!r} cannot be a tag: use 1 to 200 letters, digits, '.', '_', '-', first no sign.")
    for name, value in params.items():
        if len(value) > _LONGEST_PARAM:
            raise UsageError(
                f"the parameter {name!r} has {len(value)} characters, MLflow keeps {_LONGEST_PARAM}; "
                "make it an artefact."
            )
    for name in artifacts:
        if not _FILE.fullmatch(name) or name == reserved:
            raise UsageError(f"{name!r} cannot name an artefact: use letters, digits, '.', '_', '-', no folders.")
    contexts = [context for context, _, _ in data]
    if len(set(contexts)) < len(contexts):
        raise UsageError(f"each context of data may come once, got {', '.join(contexts)}.")
