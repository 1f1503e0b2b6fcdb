"""Encoders on this machine: those that were added to the user's cache, and folders with an ONNX model."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noria.errors import NotFound, OutsideError, StateError, UsageError
from noria.stores.objects.local import write_synced

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FACTS = "facts.json"
_ADD = "Add one with 'noria encoder add minilm'."


@dataclass(frozen=True, slots=True)
class KeptEncoder:
    """An encoder of the shelf: its files by name, and facts on where they come from."""

    files: Mapping[str, bytes]
    facts: Mapping[str, str]


class EncoderShelf:
    """Folders of files by name, each written whole or not at all, and checked by sha256 when read.

    Args:
        root: the folder of the shelf; made at the first `put`.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    def names(self) -> list[str]:
        """Names of what is kept, sorted."""
        if not self._root.is_dir():
            return []
        return sorted(p.parent.name for p in self._root.glob(f"*/{_FACTS}") if _NAME.fullmatch(p.parent.name))

    def folder(self, name: str) -> Path:
        """Where an encoder of that name is kept, or would be."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be the name of an encoder: use small letters, digits, '.', '_', '-'.")
        return self._root / name

    def facts(self, name: str) -> Mapping[str, str]:
        """Where an encoder comes from and what it is; its files are not read.

        Raises:
            NotFound: there is none of that name. StateError: it is damaged.
        """
        path = self.folder(name) / _FACTS
        try:
            return dict(json.loads(path.read_bytes())["facts"])
        except FileNotFoundError:
            raise NotFound("encoder", name, self.names(), _ADD) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"{path} cannot be read ({error}). {_again(name)}") from error

    def get(self, name: str) -> KeptEncoder:
        """An encoder's files, each checked by its sha256.

        Raises:
            NotFound: there is none of that name. StateError: it is damaged.
        """
        facts, folder = self.facts(name), self.folder(name)
        try:
            told = json.loads((folder / _FACTS).read_bytes())["files"]
            files = {file: (folder / file).read_bytes() for file in told}
        except (OSError, ValueError, KeyError) as error:
            raise StateError(f"the encoder in {folder} cannot be read ({error}). {_again(name)}") from error
        damaged = [file for file, content in files.items() if hashlib.sha256(content).hexdigest() != told[file]]
        if damaged:
            raise StateError(f"{', '.join(damaged)} in {folder} is not what was written there. {_again(name)}")
        return KeptEncoder(files, facts)

    def put(self, name: str, files: Mapping[str, bytes], facts: Mapping[str, str]) -> None:
        """Keeps an encoder, in the place of one of the same name.

        Raises:
            OutsideError: the disk refuses.
        """
        folder = self.folder(name)
        part = self._root / f".part-{name}-{os.getpid()}-{threading.get_ident()}"
        sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            for file, content in files.items():
                write_synced(part / file, content)
            # The facts come last: a folder without them is no encoder.
            told = json.dumps({"files": sums, "facts": dict(facts)}, indent=1, sort_keys=True)
            write_synced(part / _FACTS, told.encode() + b"\n")
            self._swap(part, folder)
        except OSError as error:
            why = error.strerror or str(error)
            raise OutsideError(f"the encoder cannot be written to {folder}: {why}.", retry_helps=False) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Removes an encoder.

        Raises:
            NotFound: there is none of that name.
        """
        folder = self.folder(name)
        if not folder.is_dir():
            raise NotFound("encoder", name, self.names(), _ADD)
        shutil.rmtree(folder)

    def _swap(self, part: Path, folder: Path) -> None:
        """Puts the new folder in the place of the old one; another process may be doing the same."""
        old = part.with_name(part.name.replace(".part-", ".old-"))
        for _ in range(100):
            try:
                part.rename(folder)
            except OSError as error:
                # told by the error and not by a look: the other process may have moved the folder meanwhile
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                return
            try:
                folder.rename(old)
            except FileNotFoundError:
                continue
            finally:
                shutil.rmtree(old, ignore_errors=True)
        raise OSError(errno.EBUSY, "other processes put theirs there again and again")


def read_onnx_folder(folder: Path) -> tuple[bytes, bytes, dict[str, Any]]:
    """(model, tokenizer.json, settings) of a folder as sentence-transformers or an ONNX export leaves it.

    The model: `encoder.onnx`, `model.onnx` or `onnx/model.onnx`. Settings (see `EncoderSettings`) come from
    `encoder.json`, else from the files of sentence-transformers, where they are; else the mean over tokens is taken.

    Raises:
        UsageError: a file is missing or cannot be read.
    """
    try:
        model = next(
            (p for n in ("encoder.onnx", "model.onnx", "onnx/model.onnx") if (p := folder / n).is_file()), None
        )
        if model is None or not (folder / "tokenizer.json").is_file():
            raise UsageError(
                f"{folder} is no ONNX encoder: it needs model.onnx (or onnx/model.onnx) and tokenizer.json."
            )
        if any((model.parent / f"{model.name}{end}").exists() for end in ("_data", ".data")):
            raise UsageError(f"{model} keeps its weights in a second file; export it as one file.")
        return model.read_bytes(), (folder / "tokenizer.json").read_bytes(), _settings(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the encoder in {folder} cannot be read: {error}.") from error


def _settings(folder: Path) -> dict[str, Any]:
    def told(name: str) -> dict[str, Any]:
        path = folder / name
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    if own := told("encoder.json"):
        return dict(own["settings"])
    pooling = told("1_Pooling/config.json")
    prompts = dict(told("config_sentence_transformers.json").get("prompts") or {})
    tokens = told("sentence_bert_config.json").get("max_seq_length")
    settings: dict[str, Any] = {"pooling": "first" if pooling.get("pooling_mode_cls_token") else "mean"}
    if isinstance(tokens, int):
        settings["max_tokens"] = min(tokens, 512)
    settings["query_prefix"] = str(prompts.get("query", ""))
    settings["passage_prefix"] = str(prompts.get("passage", prompts.get("document", "")))
    return settings


def _again(name: str) -> str:
    return f"Run 'noria encoder add {name}' again."
