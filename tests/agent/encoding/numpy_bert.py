"""A BERT forward pass in plain NumPy, float32, written from the paper: the reference of what the builder builds.

Source: Devlin et al. 2019; mean pooling as in Reimers and Gurevych 2019.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf


def vector(weights, ids, *, heads=12, pooled=(6, 4, 3), epsilon=1e-12):
    """(len(pooled) · d,): the mean over tokens of each pooled layer, scaled to length 1."""
    w = {key.removeprefix("bert."): value.astype(np.float32) for key, value in weights.items()}
    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)]
    x = norm(x + w[e + "token_type_embeddings.weight"][0], w, e + "LayerNorm", epsilon)
    means = {}
    for number in range(1, max(pooled) + 1):
        name = f"encoder.layer.{number - 1}."
        mixed = dense(attention(x, w, name + "attention.self.", heads), w, name + "attention.output.dense")
        x = norm(x + mixed, w, name + "attention.output.LayerNorm", epsilon)
        wide = dense(x, w, name + "intermediate.dense")
        wide = (wide * (1 + erf(wide / np.sqrt(2))) / 2).astype(np.float32)
        x = norm(x + dense(wide, w, name + "output.dense"), w, name + "output.LayerNorm", epsilon)
        means[number] = x.mean(axis=0)
    return np.concatenate([means[number] / np.linalg.norm(means[number]) for number in pooled])


def dense(x, w, name):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def norm(x, w, name, epsilon):
    centred = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    return centred / spread * w[name + ".weight"] + w[name + ".bias"]


def attention(x, w, name, heads):
    n, d = x.shape
    q, k, v = (dense(x, w, name + part).reshape(n, heads, d // heads) for part in ("query", "key", "value"))
    scores = np.einsum("ihc,jhc->hij", q, k) / np.sqrt(d // heads)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return np.einsum("hij,jhc->ihc", shares, v).reshape(n, d)
