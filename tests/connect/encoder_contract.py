"""What every encoder must keep to, whoever made it."""

from __future__ import annotations

import re

import numpy as np

TEXTS = ["how do i reset my password ?", "", "🙂", "\ud800", "printer " * 500, "日本語", "the vpn is broken"]


def keeps_the_contract(encoder, *, same_bits: bool = True) -> None:
    """Fails unless shapes, lengths, types and facts are as `Encoder` promises."""
    rows = encoder.encode(TEXTS, "query")
    assert rows.shape == (len(TEXTS), encoder.dim)
    assert rows.dtype == np.float32
    assert encoder.dim % encoder.sentence_dim == 0
    blocks = rows.reshape(len(TEXTS), -1, encoder.sentence_dim)
    assert np.allclose(np.linalg.norm(blocks, axis=2), 1, atol=1e-5)
    assert encoder.encode([], "passage").shape == (0, encoder.dim)
    assert re.fullmatch(r"[0-9a-f]{64}", encoder.fingerprint)
    assert encoder.spec
    for text, row in zip(TEXTS, rows, strict=True):
        alone = encoder.encode([text], "query")[0]
        assert np.array_equal(alone, row) if same_bits else np.allclose(alone, row, atol=1e-5)
