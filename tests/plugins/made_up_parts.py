"""A package of somebody else's with one part of each kind; tests install it into a folder on the path."""

from __future__ import annotations

import hashlib

import numpy as np

from noria.agent.protocols import Decided, Stored
from noria.records import Ranked


class Letters:
    """An encoder that counts letters."""

    spec, fingerprint = "own:letters", "1" * 64
    dim = sentence_dim = 26

    def encode(self, texts, kind):
        counts = np.array([[t.lower().count(chr(97 + i)) for i in range(26)] for t in texts], np.float32)
        counts = counts.reshape(len(texts), 26) + 1e-3
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


class Shouts:
    """A member that is for the first class when a text shouts."""

    evidence_names = ("loud",)

    def __init__(self, count):
        self.count = count

    @classmethod
    def train(cls, rows, recipe):
        return cls(len(rows.classes) + rows.learns_reject)

    @classmethod
    def load(cls, stored, classes, recipe):
        return cls(stored.figures["count"])

    def logits(self, query):
        return np.eye(self.count)[0] * query.text.isupper()

    def evidence(self, query, logits):
        return (float(logits[0]),)

    def stored(self):
        return Stored({"count": self.count})


class KnownWords:
    """A scope model: in scope is what shares enough words with the rows."""

    def __init__(self, standing):
        self.standing = standing
        self.threshold = float(standing[0]) if len(standing) else 0.0

    @classmethod
    def train(cls, rows, recipe):
        return cls(np.sort([r.known for r in rows.inside]))

    @classmethod
    def load(cls, stored, recipe):
        return cls(stored.arrays["standing"])

    def score(self, reading):
        return reading.known

    def p_value(self, score):
        return (1 + int(np.searchsorted(self.standing, score, side="right"))) / (1 + len(self.standing))

    def stored(self):
        return Stored({}, {"standing": self.standing})


class AlwaysAsks:
    """A decider that offers the two likeliest intents."""

    def __init__(self, classes, in_scope):
        self.classes, self.in_scope = tuple(classes), in_scope
        self.thresholds = {"patience": in_scope}

    @classmethod
    def train(cls, rows, scope, confidence, recipe):
        return cls(rows.classes, scope.threshold)

    @classmethod
    def load(cls, stored, classes, recipe):
        return cls(classes, stored.figures["in_scope"])

    def decide(self, reading, scope_score, confidence):
        if reading.blank or scope_score < self.in_scope:
            return Decided("handoff", in_scope=False)
        order = np.argsort(-reading.probabilities, kind="stable")[:2]
        return Decided("clarify", in_scope=True, choices=tuple(self.classes[i] for i in order))

    def stored(self):
        return Stored({"in_scope": self.in_scope})


class ByHash:
    """Without sense: articles in order of a hash of text and article; an account sees its own, and shared."""

    def __init__(self, articles):
        self.articles = tuple(articles)

    @classmethod
    def train(cls, articles, citations, recipe, encoder):
        return cls(articles)

    @classmethod
    def load(cls, stored, articles, recipe, encoder):
        return cls(articles)

    def find(self, text, account, intents, limit, *, audience=(), vector=None):
        seen = [a.article_id for a in self.articles if a.account in (None, account)]
        scored = sorted((int(hashlib.sha256(f"{text}{i}".encode()).hexdigest()[:6], 16), i) for i in seen)
        return tuple(Ranked(i, float(score)) for score, i in scored[:limit])

    def with_articles(self, articles):
        return ByHash(articles)

    def stored(self):
        return Stored({})


class LongestFirst:
    """A ranker that likes the first feature, and remembers how many questions taught it."""

    def __init__(self, weight):
        self.weight = weight

    @classmethod
    def train(cls, taught, recipe):
        return cls(np.array([1.0 + len(taught)]))

    @classmethod
    def load(cls, stored, recipe):
        return cls(stored.arrays["weight"])

    def scores(self, features):
        return features[:, 0] * self.weight[0]

    def stored(self):
        return Stored({"kind": "longest"}, {"weight": self.weight})


class Half:
    """A scope model's class that lacks what the slot asks for."""

    @classmethod
    def train(cls, rows, recipe):
        return cls()
