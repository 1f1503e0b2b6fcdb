"""Which language a text is written in, offline, by py3langid's model (naive Bayes over byte n-grams).

Source: Lui and Baldwin (2012), langid.py: An Off-the-shelf Language Identification Tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

_READ_CHARS = 240  # what a person would need to tell; the time grows with each byte
_SURE = 0.5


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def languages(texts: Sequence[str | None], min_chars: int) -> list[str | None]:
    """ISO 639-1 code of each text; None where it is shorter than `min_chars` or the model is not sure."""
    classify = _model().classify
    found: list[str | None] = []
    for text in texts:
        if text is None or len(text) < min_chars:
            found.append(None)
            continue
        code, share = classify(text[:_READ_CHARS])
        found.append(code if share >= _SURE else None)
    return found
