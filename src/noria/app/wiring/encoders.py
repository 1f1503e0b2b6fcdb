"""Encoders of a home: found by their spec, opened once, with their memory in the user's cache."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from noria.app.settings import Settings
from noria.errors import NotFound, OutsideError, StateError, UsageError

if TYPE_CHECKING:
    from noria.agent import Recipe
    from noria.agent.encoding import Encoder
    from noria.stores.encoders import EncoderShelf

ENCODER_SPECS = "minilm, onnx:FOLDER, st:FOLDER, openai:URL#MODEL, own:NAME, none"


def user_cache() -> Path:
    """The user's folder for what can be made again: encoders and vectors, shared by all homes."""
    if own := os.environ.get("NORIA_CACHE"):
        return Path(own).expanduser().absolute()
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "noria"


def encoder_shelf() -> EncoderShelf:
    """The encoders in the user's cache."""
    from noria.stores.encoders import EncoderShelf

    return EncoderShelf(user_cache() / "encoders")


def load_encoder(spec: str) -> Encoder | None:
    """The encoder of a spec (see ENCODER_SPECS), opened once in a process; None for "none".

    Raises:
        UsageError: the spec names nothing that is known (NotFound: it was not added). StateError: it is damaged, or a
        package is missing. OutsideError: it runs elsewhere and does not answer.
    """
    if spec == "none":
        return None
    kept = "" if ":" in spec else str(encoder_shelf().facts(spec))
    return _open_encoder(spec, user_cache(), kept)


@lru_cache(maxsize=4)
def _open_encoder(spec: str, _cache: Path, _kept: str) -> Encoder:
    from noria.agent.encoding import OnnxEncoder

    how, _, where = spec.partition(":")
    if not where:
        return OnnxEncoder.from_parts(encoder_shelf().get(spec).files)
    if how == "onnx":
        from noria.stores.encoders import read_onnx_folder

        model, tokenizer, told = read_onnx_folder(Path(where).expanduser())
        return OnnxEncoder.from_files(model, tokenizer, told, spec)
    if how == "st":
        from noria.connect.sentence_transformers_encoder import SentenceTransformersEncoder

        return SentenceTransformersEncoder(Path(where).expanduser())
    if how == "openai":
        from noria.connect.openai_encoder import OpenAIEncoder

        key = os.environ.get("NORIA_ENCODER_KEY") or os.environ.get("OPENAI_API_KEY")
        url, _, model_name = where.partition("#")
        return OpenAIEncoder(url, model_name, key=key, sleep=time.sleep)
    if how == "own":
        from noria.agent.components import brought_encoder

        return cast("Encoder", brought_encoder(where))
    raise UsageError(f"no encoder is known by {spec!r}. Known: {ENCODER_SPECS}.")


def encoder_to_train(settings: Settings, recipe: Recipe) -> tuple[Encoder | None, str]:
    """The encoder of a home's settings, where the recipe wants one; or None and why there is none."""
    return (None, "") if recipe.lineup == "ngrams" else encoder_or_warning(settings.encoder.spec)


def encoder_or_warning(spec: str) -> tuple[Encoder | None, str]:
    """The encoder, with its memory for training; or None and the sentence that says why there is none.

    A spec that could never name an encoder is an error all the same.
    """
    try:
        encoder = load_encoder(spec)
    except (NotFound, StateError, OutsideError) as error:
        return None, f"The encoder {spec} cannot be had, so the agent works with n-grams alone: {error}"
    return (None if encoder is None else with_cache(encoder)), ""


def with_cache(encoder: Encoder) -> Encoder:
    """The same encoder with a memory in the user's cache, for training."""
    from noria.agent.encoding import CachedEncoder
    from noria.stores.vectors import VectorCache

    return CachedEncoder(encoder, VectorCache(user_cache() / "vectors.db"))


def add_encoder(name: str, file: Path | None, tell: Callable[[str], None]) -> tuple[Mapping[str, str], bool]:
    """(facts, whether it was built now): an official encoder from a file, else from where it can be had.

    Raises:
        NotFound: no such encoder is known. UsageError: the file is not the official one. OutsideError: out of reach.
    """
    from noria.agent.encoding import BUILD, Bert, OnnxEncoder
    from noria.connect.encoder_sources import OFFICIAL, TOKENIZER, WEIGHTS, fetch, read

    if name not in OFFICIAL:
        raise NotFound("encoder", name, OFFICIAL)
    official, shelf = OFFICIAL[name], encoder_shelf()
    if file is None and name in shelf.names():
        with suppress(StateError):  # a damaged one is built anew
            kept = shelf.get(name)
            if kept.facts.get("build") == str(BUILD):
                return kept.facts, False
    files, source = fetch(official, tell) if file is None else (read(official, file), "file")
    encoder = OnnxEncoder.from_bert(files[WEIGHTS], files[TOKENIZER], Bert(), name)
    facts = {
        "build": str(BUILD), "model": official.model, "revision": official.revision, "licence": official.licence,
        "source": source, "weights_sha256": official.sha256[WEIGHTS], "content": encoder.content,
    }  # fmt: skip
    shelf.put(name, encoder.parts(), facts)
    _open_encoder.cache_clear()
    return facts, True
