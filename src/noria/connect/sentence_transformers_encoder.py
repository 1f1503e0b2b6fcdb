"""Any model of the package sentence-transformers, by its folder; the package is not among Noria's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from noria.agent.encoding import MOST_TOKENS, Kind, clean, fingerprint_of
from noria.agent.protocols import Floats32
from noria.errors import StateError, UsageError

_HINT = "Install it beside Noria: pip install sentence-transformers."


class SentenceTransformersEncoder:
    """An `Encoder` that runs a sentence-transformers model on the CPU, one text at a time.

    Args:
        folder: the model as the package saves it; nothing is fetched and no code of the model is run.
        max_tokens: longer texts are cut.

    Raises:
        UsageError: there is no such folder. StateError: the package is missing, or cannot read the folder.
    """

    def __init__(self, folder: Path, *, max_tokens: int = MOST_TOKENS) -> None:
        if not folder.is_dir():
            raise UsageError(f"st:{folder} names no folder; give that of a sentence-transformers model.")
        try:
            import sentence_transformers
        except ImportError as error:
            raise StateError(f"st:{folder} needs the package sentence-transformers ({error}). {_HINT}") from error
        try:
            self._model = sentence_transformers.SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # the package raises whatever its parts raise
            raise StateError(
                f"sentence-transformers cannot read {folder} ({type(error).__name__}: {error})."
            ) from error
        self._model.max_seq_length = min(max_tokens, int(self._model.max_seq_length or max_tokens))
        self._prompts = dict(self._model.prompts)
        self.spec = f"st:{folder}"
        told = {"max_tokens": self._model.max_seq_length, "version": sentence_transformers.__version__}
        sums = {str(p.relative_to(folder)): _sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
        self.fingerprint = fingerprint_of({}, told | {"files": sums})
        self.dim = self.sentence_dim = int(self.encode([""], "query").shape[1])

    def encode(self, texts: Sequence[str], kind: Kind) -> Floats32:
        """See `Encoder.encode`."""
        names = ("query",) if kind == "query" else ("passage", "document")
        prompt = next((self._prompts[name] for name in names if name in self._prompts), "")
        rows = [
            self._model.encode(
                [prompt + clean(text)], batch_size=1, normalize_embeddings=True, show_progress_bar=False, prompt=""
            )[0]
            for text in texts
        ]
        return np.stack(rows).astype(np.float32) if rows else np.empty((0, self.dim), np.float32)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
