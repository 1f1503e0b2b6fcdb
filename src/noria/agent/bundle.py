"""An agent as a handful of files: arrays as safetensors, the rest as JSON. No code is stored, so none is run.

manifest.json         schema, classes in order of their number, recipe, facts, sha256 of each other file and of itself
model.json            temperature, scope, confidence
ngrams.json           the vocabulary
articles.json         what it answers with
weights.safetensors   weights, bias, inverse document frequencies
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from noria.agent.agent import Agent
from noria.agent.decision import ThresholdDecider
from noria.agent.heads.confidence import CalibratedConfidence
from noria.agent.heads.intent import NgramSvm
from noria.agent.heads.logistic import Linear
from noria.agent.heads.ngrams import Ngrams
from noria.agent.heads.scope import LinearScope
from noria.agent.recipe import Recipe
from noria.agent.retrieval import ArticleFinder
from noria.errors import StateError, UsageError
from noria.records import Article

SCHEMA = 1
"""Raised whenever a bundle changes its meaning; an older Noria refuses what is newer than its own."""

MANIFEST = "manifest.json"
_KIND = "noria.agent"
_FILES = ("articles.json", "model.json", "ngrams.json", "weights.safetensors")
_ARRAYS = {"weights": np.float32, "bias": np.float32, "word_idf": np.float64, "char_idf": np.float64}


def pack(agent: Agent) -> dict[str, bytes]:
    """The agent's files (name → content); the same agent always gives the same bytes."""
    model, scope, confidence = agent.intent_model, agent.scope, agent.confidence
    if not (
        isinstance(model, NgramSvm) and isinstance(scope, LinearScope) and isinstance(confidence, CalibratedConfidence)
    ):
        raise TypeError("only agents made by fit() can be packed")
    ngrams = model.ngrams
    arrays = {
        "weights": model.weights, "bias": model.bias, "word_idf": ngrams.word_idf, "char_idf": ngrams.char_idf
    }  # fmt: skip
    files = {
        "articles.json": _json([asdict(a) for a in agent.articles]),
        "model.json": _json(
            {"temperature": model.temperature, "scope": asdict(scope), "confidence": asdict(confidence.linear)}
        ),
        "ngrams.json": _json({"texts": ngrams.texts, "words": ngrams.words, "chars": ngrams.chars}),
        "weights.safetensors": save({k: np.ascontiguousarray(v, _ARRAYS[k]) for k, v in arrays.items()}),
    }
    manifest = {
        "kind": _KIND,
        "schema": SCHEMA,
        "classes": model.classes,
        "recipe": agent.recipe.to_dict(),
        "facts": dict(agent.facts),
        "files": {name: _sha256(content) for name, content in files.items()},
    }
    return {MANIFEST: _json(manifest | {"sha256": _sha256(_json(manifest))}), **files}


def unpack(files: Mapping[str, bytes]) -> Agent:
    """The agent that was packed; it answers every text as that one did.

    Raises:
        StateError: a file is missing, was changed, or was written by a newer Noria.
    """
    manifest = _manifest(files)
    missing = [name for name in _FILES if name not in files or name not in manifest["files"]]
    if missing:
        raise StateError(f"the bundle lacks {', '.join(missing)}. {_NEXT}")
    for name in _FILES:
        if _sha256(files[name]) != manifest["files"][name]:
            raise StateError(f"{name} of the bundle is not what was packed (its sha256 differs). {_NEXT}")
    try:
        return _agent(manifest, files)
    except (KeyError, TypeError, ValueError, UsageError, SafetensorError) as error:
        raise StateError(f"the bundle does not fit together ({type(error).__name__}: {error}). {_NEXT}") from error


_NEXT = "Restore it from a backup, or roll back to another release."


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest, once it is known to be one that this Noria reads and that nobody changed."""
    if MANIFEST not in files:
        raise StateError(f"the bundle lacks {MANIFEST}. {_NEXT}")
    try:
        manifest = json.loads(files[MANIFEST])
        if manifest["kind"] != _KIND:
            raise StateError(f"this is a bundle of {manifest['kind']!r}, not of an agent.")
        schema = int(manifest["schema"])
        told = manifest.pop("sha256")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"{MANIFEST} of the bundle cannot be read ({type(error).__name__}: {error}). {_NEXT}"
        ) from error
    if schema > SCHEMA:
        raise StateError(
            f"the bundle has schema {schema}, written by a newer Noria; this one reads up to {SCHEMA}. Upgrade Noria."
        )
    if files[MANIFEST] != _json(manifest | {"sha256": told}) or told != _sha256(_json(manifest)):
        raise StateError(f"{MANIFEST} of the bundle is not what was packed (its sha256 differs). {_NEXT}")
    return dict(manifest)


def _agent(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Agent:
    recipe = Recipe.from_dict(manifest["recipe"])
    classes = tuple(str(c) for c in manifest["classes"])
    vocabulary, told = json.loads(files["ngrams.json"]), json.loads(files["model.json"])
    arrays = load(files["weights.safetensors"])
    ngrams = Ngrams(
        vocabulary["words"], arrays["word_idf"], vocabulary["chars"], arrays["char_idf"], vocabulary["texts"], recipe
    )
    columns = arrays["bias"].shape[0]
    if arrays["weights"].shape != (ngrams.size, columns) or columns not in (len(classes), len(classes) + 1):
        raise ValueError(
            f"weights of shape {arrays['weights'].shape} for {ngrams.size} n-grams, {len(classes)} classes"
        )
    scope = LinearScope(_linear(told["scope"]["linear"]), told["scope"]["floor"], told["scope"]["threshold"])
    articles = [Article(**a | {"intents": tuple(a["intents"])}) for a in json.loads(files["articles.json"])]
    return Agent(
        intent_model=NgramSvm(ngrams, arrays["weights"], arrays["bias"], classes, told["temperature"]),
        scope=scope,
        confidence=CalibratedConfidence(_linear(told["confidence"])),
        decider=ThresholdDecider(classes, scope.threshold, recipe),
        finder=ArticleFinder(articles, recipe),
        articles=articles,
        recipe=recipe,
        facts=manifest["facts"],
    )


def _linear(told: Mapping[str, Any]) -> Linear:
    return Linear(told["intercept"], tuple(told["coefficients"]))


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
