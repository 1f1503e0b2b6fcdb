"""The encoder with a memory: the same bits, and each text encoded once."""

from __future__ import annotations

import numpy as np
import pytest
from tests.agent.encoding.made_up_bert import encoder

from noria.agent.encoding import CachedEncoder


class Memory(dict):
    """Vectors in a dictionary."""

    def get(self, fingerprint, keys):
        return {key: self[fingerprint, key] for key in keys if (fingerprint, key) in self}

    def put(self, fingerprint, vectors):
        self.update({(fingerprint, key): row for key, row in vectors.items()})


class Counting:
    """An encoder that notes what it was asked."""

    def __init__(self):
        self.asked = []
        self.inner = encoder()
        self.spec, self.fingerprint = self.inner.spec, self.inner.fingerprint
        self.dim, self.sentence_dim = self.inner.dim, self.inner.sentence_dim

    def encode(self, texts, kind):
        self.asked += [(text, kind) for text in texts]
        return self.inner.encode(texts, kind)


@pytest.fixture
def counting():
    return Counting()


def test_a_text_is_encoded_once_for_each_kind(counting):
    cached = CachedEncoder(counting, Memory())
    first = cached.encode(["printer", "vpn", "printer"], "query")
    again = cached.encode(["vpn", "printer", "password"], "query")
    cached.encode(["vpn"], "passage")
    assert counting.asked == [("printer", "query"), ("vpn", "query"), ("password", "query"), ("vpn", "passage")]
    assert np.array_equal(first, counting.inner.encode(["printer", "vpn", "printer"], "query"))
    assert np.array_equal(again[0], first[1])
    assert (cached.fingerprint, cached.dim, cached.inner) == (counting.fingerprint, counting.dim, counting)


def test_what_is_kept_in_the_wrong_size_is_made_again(counting):
    memory = Memory()
    wanted = CachedEncoder(counting, memory).encode(["printer"], "query")
    memory.update({key: row[:3] for key, row in memory.items()})
    assert np.array_equal(CachedEncoder(counting, memory).encode(["printer"], "query"), wanted)


def test_no_text_gives_no_row(counting):
    assert CachedEncoder(counting, Memory()).encode([], "query").shape == (0, counting.dim)
