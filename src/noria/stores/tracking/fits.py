"""Fitted parts by the hash of what they were fitted on, in a folder of bounded size; what is lost is fitted again."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

Part = tuple[Mapping[str, Any], Mapping[str, npt.NDArray[Any]]]

_TRIM_EVERY = 50
"""Puts of a process between two looks at the folder's size."""


class FitCache:
    """Figures and arrays by key, shared by processes; a full or broken disk means fitting again, never a failed run.

    When the folder holds more than `max_bytes`, the parts that were used least recently go.

    Args:
        root: the folder; made at the first put.
        max_bytes: of all parts together.
    """

    def __init__(self, root: str | Path, *, max_bytes: int = 4 << 30) -> None:
        self._root, self._max_bytes, self._puts = Path(root), max_bytes, 0

    def get(self, key: str) -> Part | None:
        """The part of a key; None where it is not there or damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            size = int.from_bytes(content[:8], "little")
            figures = json.loads(content[8 : 8 + size])
            arrays = load(content[8 + size :])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, SafetensorError):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return figures, arrays

    def put(self, key: str, figures: Mapping[str, object], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keeps a part, whole or not at all."""
        told = json.dumps(dict(figures)).encode()
        path = self._path(key)
        part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
            part.write_bytes(len(told).to_bytes(8, "little") + told + content)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            return
        self._puts += 1
        if self._puts % _TRIM_EVERY == 0:
            self.trim()

    def trim(self) -> None:
        """Removes the parts used least recently until the folder holds no more than it may."""
        found = []
        for path in self._root.glob("*/*"):
            with suppress(OSError):
                facts = path.stat()
                found.append((facts.st_mtime_ns, facts.st_size, path))
        held = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if held <= self._max_bytes:
                return
            with suppress(OSError):
                path.unlink()
            held -= size

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / key
