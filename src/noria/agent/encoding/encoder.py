"""What an encoder promises, and what makes two encoders the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from noria.agent.protocols import Floats32

Kind = Literal["query", "passage"]
"""What a text is: some encoders (e5, bge) want to be told by a prefix."""


class Encoder(Protocol):
    """Turns texts into vectors; may be used in many threads at once.

    `spec`: how it was asked for, e.g. "minilm" or "onnx:/folder". `fingerprint`: hex sha256 over everything that can
    change a vector: weights, tokenizer, pooling, longest text, prefixes, quantisation, version of the runtime.
    `dim`: columns of a vector. `sentence_dim`: its first so many columns are the usual sentence vector, for
    comparing texts; the rest are further layers, for heads to learn from.
    """

    @property
    def spec(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def sentence_dim(self) -> int: ...

    def encode(self, texts: Sequence[str], kind: Kind) -> Floats32:
        """(n, dim): one row for each text, each block of `sentence_dim` columns of unit length.

        A text has the same bits alone and in any company. Any text has a vector, an empty one too.

        Raises:
            OutsideError: the encoder runs elsewhere and does not answer.
        """
        ...


@runtime_checkable
class _Packed(Protocol):
    def parts(self) -> Mapping[str, bytes]: ...


def files_of(encoder: object) -> Mapping[str, bytes] | None:
    """The files of an encoder (or of the one behind a memory) that gives them away; None of any other."""
    inner = getattr(encoder, "inner", encoder)
    return inner.parts() if isinstance(inner, _Packed) else None


def fingerprint_of(files: Mapping[str, bytes], facts: Mapping[str, object]) -> str:
    """Hex sha256 over the content of files and over facts that JSON can hold."""
    told = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    text = json.dumps({"files": told, "facts": dict(facts)}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def clean(text: str) -> str:
    """The text without what cannot be written as UTF-8 (halves of surrogate pairs become "?")."""
    return text.encode("utf-8", "replace").decode("utf-8")
