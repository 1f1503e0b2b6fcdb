"""An agent as a handful of files: arrays as safetensors, the rest as JSON. No code is stored, so none is run.

manifest.json         schema, classes in order of their number, recipe, facts, licences, the encoder and the parts of
                      other packages that are needed, sha256 of each other file and of itself
model.json            figures of the members, fusion, scope, confidence
ngrams.json           the vocabulary
articles.json         what it answers with
retrieval.*           what taught the ranking of articles, its weights, vectors of articles and questions
weights.safetensors   arrays of the members and of the scope model, inverse document frequencies
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from noria.agent import components
from noria.agent.agent import Agent
from noria.agent.encoding import Encoder
from noria.agent.heads.confidence import CalibratedConfidence
from noria.agent.heads.foreign import ForeignRows
from noria.agent.heads.fusion import Fusion
from noria.agent.heads.intent import FusedIntents
from noria.agent.heads.ngrams import Ngrams
from noria.agent.members import NgramSvm
from noria.agent.members.tokens import TokenTable
from noria.agent.parts import decider_from, finder_from, finder_of, parts_of, scope_from
from noria.agent.protocols import Stored
from noria.agent.recipe import Recipe
from noria.agent.retrieval import FINDER_FILES
from noria.errors import NotFound, StateError, UsageError
from noria.records import Article

SCHEMA = 3
"""Raised whenever a bundle changes its meaning; an older Noria refuses what is newer than its own."""

MANIFEST = "manifest.json"
_KIND = "noria.agent"
_FILES = ("articles.json", "model.json", "ngrams.json", "weights.safetensors", *FINDER_FILES)
_LICENCES = {"minilm": "all-MiniLM-L6-v2 (sentence-transformers), Apache-2.0"}

Encoders = Callable[[str], Encoder | None]
"""The encoder of a spec; None where there is none."""


def pack(agent: Agent) -> dict[str, bytes]:
    """The agent's files (name → content); the same agent always gives the same bytes."""
    model = agent.intent_model
    if not isinstance(model, FusedIntents):
        raise TypeError("only agents made by fit() can be packed")
    ngrams = model.ngrams
    parts = {f"member.{name}": member.stored() for name, member in model.members.items()} | parts_of(agent)
    if model.table is not None:
        parts["table"] = model.table.stored()
    if model.foreign is not None:
        parts["foreign"] = model.foreign.stored()
    arrays = {f"{part}.{name}": array for part, stored in parts.items() for name, array in stored.arrays.items()}
    arrays |= {"ngrams.word_idf": ngrams.word_idf, "ngrams.char_idf": ngrams.char_idf}
    told = {
        "members": list(model.members),
        "rejects": model.rejects,
        "fusion": asdict(model.fusion),
        "parts": {part: dict(stored.figures) for part, stored in parts.items()},
        "choice": agent.decider.thresholds.get("choice", 0.0),
        "domains": asdict(domains) if (domains := getattr(agent.decider, "domains", None)) else None,
    }
    files = {
        "articles.json": _json([asdict(a) for a in agent.articles]),
        "model.json": _json(told),
        "ngrams.json": _json({"texts": ngrams.texts, "words": ngrams.words, "chars": ngrams.chars}),
        **finder_of(agent),
        "weights.safetensors": save({k: np.ascontiguousarray(v) for k, v in sorted(arrays.items())}),
    }
    manifest = {
        "kind": _KIND,
        "schema": SCHEMA,
        "classes": model.classes,
        "recipe": agent.recipe.to_dict(),
        "facts": dict(agent.facts),
        "warnings": agent.warnings,
        "components": components.told(agent.recipe),
        "encoder": _need(agent.encoder),
        "licences": _licences(agent.encoder, model.table),
        "files": {name: _sha256(content) for name, content in files.items()},
    }
    return {MANIFEST: _json(manifest | {"sha256": _sha256(_json(manifest))}), **files}


def unpack(files: Mapping[str, bytes], encoder: Encoder | Encoders | None = None) -> Agent:
    """The agent that was packed; it answers every text as that one did.

    Args:
        files: what `pack` gave.
        encoder: the encoder that the agent needs, or what gives the one of a spec; is not asked where none is needed.

    Raises:
        StateError: a file is missing, was changed, or was written by another age of Noria; or the encoder is not there,
            or another one.
    """
    manifest = _manifest(files)
    missing = [name for name in _FILES if name not in files or name not in manifest["files"]]
    if missing:
        raise StateError(f"the bundle lacks {', '.join(missing)}. {_NEXT}")
    for name in _FILES:
        if _sha256(files[name]) != manifest["files"][name]:
            raise StateError(f"{name} of the bundle is not what was packed (its sha256 differs). {_NEXT}")
    differing = components.present(manifest.get("components", {}))
    try:
        return _agent(manifest, files, _encoder(manifest.get("encoder"), encoder), differing)
    except (KeyError, TypeError, ValueError, AttributeError, UsageError, SafetensorError) as error:
        raise StateError(f"the bundle does not fit together ({type(error).__name__}: {error}). {_NEXT}") from error


def _licences(encoder: Encoder | None, table: TokenTable | None) -> list[str]:
    """What comes from others, by whom, under which licence."""
    found = []
    if encoder is not None and encoder.spec in _LICENCES:
        found.append(f"{_LICENCES[encoder.spec]}; not in this bundle, needed beside it")
    if table is not None and table.origin in _LICENCES:
        found.append(f"{_LICENCES[table.origin]}; the table of word vectors is distilled from it")
    return found


def _need(encoder: Encoder | None) -> dict[str, object] | None:
    if encoder is None:
        return None
    return {"spec": encoder.spec, "fingerprint": encoder.fingerprint, "dim": encoder.dim}


def _encoder(need: Mapping[str, Any] | None, given: Encoder | Encoders | None) -> Encoder | None:
    """The encoder that a bundle needs.

    Raises:
        StateError: it is not there, or not the one.
    """
    if need is None:
        return None
    spec, fingerprint = str(need["spec"]), str(need["fingerprint"])
    try:
        encoder = given(spec) if callable(given) else given
    except NotFound as error:
        raise StateError(f"the agent needs the encoder {spec!r}, which is not here: {error}") from error
    if encoder is None:
        raise StateError(f"the agent needs the encoder {spec!r}. Add it (noria encoder add {spec}), then try again.")
    if encoder.fingerprint != fingerprint:
        raise StateError(
            f"the agent was trained with the encoder {spec!r} of fingerprint {fingerprint[:12]}; this one has "
            f"{encoder.fingerprint[:12]} (other weights, settings or version of the runtime). Train the agent again, "
            "or bring back what it was trained with."
        )
    return encoder


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
    if schema < SCHEMA:
        raise StateError(
            f"the bundle has schema {schema}, written by an older Noria; this one reads {SCHEMA}. Train the agent "
            "again: its data and recipe are kept with its experiment."
        )
    if schema > SCHEMA:
        raise StateError(
            f"the bundle has schema {schema}, written by a newer Noria; this one reads up to {SCHEMA}. Upgrade Noria."
        )
    if files[MANIFEST] != _json(manifest | {"sha256": told}) or told != _sha256(_json(manifest)):
        raise StateError(f"{MANIFEST} of the bundle is not what was packed (its sha256 differs). {_NEXT}")
    return dict(manifest)


def _agent(
    manifest: Mapping[str, Any], files: Mapping[str, bytes], encoder: Encoder | None, differing: Sequence[str]
) -> Agent:
    recipe = Recipe.from_dict(manifest["recipe"])
    classes = tuple(str(c) for c in manifest["classes"])
    told, arrays = json.loads(files["model.json"]), load(files["weights.safetensors"])
    parts = {part: Stored(figures, _of(arrays, part)) for part, figures in told["parts"].items()}
    model = _model(told, json.loads(files["ngrams.json"]), _of(arrays, "ngrams"), parts, classes, recipe)
    scope = scope_from(parts, recipe)
    articles = [_article(a) for a in json.loads(files["articles.json"])]
    return Agent(
        intent_model=model,
        scope=scope,
        confidence=CalibratedConfidence.load(parts["confidence"]),
        decider=decider_from(parts, classes, (scope.threshold, float(told["choice"])), told["domains"], recipe),
        finder=finder_from(files, parts, articles, recipe, encoder),
        articles=articles,
        recipe=recipe,
        facts=manifest["facts"],
        encoder=encoder,
        warnings=[*manifest["warnings"], *differing],
    )


def _model(
    told: Mapping[str, Any],
    vocabulary: Mapping[str, Any],
    idf: Mapping[str, Any],
    parts: Mapping[str, Stored],
    classes: tuple[str, ...],
    recipe: Recipe,
) -> FusedIntents:
    ngrams = Ngrams(
        vocabulary["words"], idf["word_idf"], vocabulary["chars"], idf["char_idf"], vocabulary["texts"], recipe
    )
    members = {n: components.member_maker(n).load(parts[f"member.{n}"], classes, recipe) for n in told["members"]}
    first = members["ngrams"]
    if not isinstance(first, NgramSvm) or len(first.weights) != ngrams.size:
        raise ValueError(f"weights for another vocabulary than that of {ngrams.size} n-grams")
    table = TokenTable.load(parts["table"]) if "table" in parts else None
    foreign = ForeignRows.load(parts["foreign"]) if "foreign" in parts else None
    fusion = told["fusion"]
    fused = Fusion(tuple(fusion["weights"]), tuple(fusion["temperatures"]), float(fusion["final"]))
    if not len(members) == len(fused.weights) == len(fused.temperatures):
        raise ValueError("not as many weights as members")
    return FusedIntents(ngrams, members, classes, fused, rejects=bool(told["rejects"]), table=table, foreign=foreign)


def _of(arrays: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The arrays of a part, by the names it gave them."""
    return {k.removeprefix(f"{part}."): v for k, v in arrays.items() if k.startswith(f"{part}.")}


def _article(told: Mapping[str, Any]) -> Article:
    audience = told.get("audience")
    return Article(
        **{**told, "intents": tuple(told["intents"]), "audience": None if audience is None else tuple(audience)}
    )


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
