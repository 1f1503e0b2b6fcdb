"""Joins stores, counterparts, clock and settings: the one place that knows all of them."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import noria
from noria.app.home import Home
from noria.app.label_studio.server import label_studio_address
from noria.app.settings import Settings, label_desk, loop_policy
from noria.connect.builtin_desk import BuiltinDesk
from noria.errors import NoriaError, NotFound, OutsideError, StateError, UsageError
from noria.stores import Stores

if TYPE_CHECKING:
    from noria.agent import Recipe
    from noria.agent.encoding import Encoder
    from noria.connect.label_studio import LabelStudioDesk
    from noria.loop import House
    from noria.ports import LabelDesk
    from noria.serve import Service
    from noria.stores.encoders import EncoderShelf

ENCODER_SPECS = "minilm, onnx:FOLDER, st:FOLDER, openai:URL#MODEL, none"

_log = logging.getLogger("noria.app")


def now_ms() -> int:
    """The present, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A new unique id."""
    return uuid.uuid4().hex


def open_stores(home: Home) -> Stores:
    """The home's stores, each opened when first used."""
    return Stores(
        lake=home.lake,
        blobs=home.blobs,
        journal=home.journal_url,
        tracker=home.tracker_url,
        artifacts=home.tracker_artifacts,
    )


def open_house(home: Home, stores: Stores) -> House:
    """What a turn of the loop works with."""
    from noria.loop import House

    policy = loop_policy(home.settings)
    return House(
        stores,
        open_desk(home, stores),
        policy,
        time.monotonic,
        code_facts(),
        encoders=load_encoder,
        encoder=lambda: encoder_to_train(home.settings, policy.recipe),
    )


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


def open_desk(home: Home, stores: Stores) -> LabelDesk:
    """Where this home's label tasks go."""
    if label_desk(home.settings) == "label_studio":
        return label_studio_desk(home, stores)
    return BuiltinDesk(stores.journal)


def label_studio_desk(home: Home, stores: Stores) -> LabelStudioDesk:
    """The desk on the Label Studio of the settings, or on the one that `noria label-studio up` starts.

    Raises:
        UsageError: no token is set. StateError: the home's own server was never started.
    """
    from noria.connect.label_studio import LabelStudioClient, LabelStudioDesk

    url, token = label_studio_address(home, os.environ)
    home.label_studio.mkdir(exist_ok=True)
    title = home.settings.label_studio.project or f"Noria {home.path.name}"

    def scope() -> set[str]:
        from noria.loop.turn import scope_of

        live = stores.journal.current_release()
        return scope_of(stores, live.candidate) if live else set()

    client = LabelStudioClient(url, token)
    return LabelStudioDesk(client, stores.journal, title=title, lock=home.label_studio / "exchange.lock", scope=scope)


def code_facts() -> dict[str, str]:
    """Which code runs: the version and a sha256 over the package's Python files."""
    root = Path(noria.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return {"version": noria.__version__, "sha256": digest.hexdigest()}


class LiveHouse:
    """What the HTTP server works with (see `noria.app.http.house.House`)."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.stores = open_stores(home)
        self.desk = BuiltinDesk(self.stores.journal)
        self._fetching, self._rung = threading.Lock(), threading.Event()

    @cached_property
    def service(self) -> Service:
        """The live agent."""
        from noria.serve import Service

        return Service(self.stores, time.perf_counter, load_encoder)

    def settle(self) -> None:
        """Settles the tasks that labels came in for."""
        from noria.label.gathering import settle

        settle(self.stores, loop_policy(self.home.settings).settling)

    def performance(self) -> dict[str, Any]:
        """The view model of the performance page."""
        from noria.app.performance import performance

        return performance(self.stores, self.home.reports, generated_ms=now_ms(), title=self.home.path.name)

    def accounts(self) -> list[str]:
        """Accounts that asked something in the last 90 days, the busiest first."""
        return self.stores.journal.accounts(now_ms() - 90 * 86_400_000)

    def nudge(self) -> None:
        """Label Studio rang: fetches what people answered; rings meanwhile make one more round. May block."""
        if label_desk(self.home.settings) != "label_studio":
            return
        self._rung.set()
        while self._rung.is_set() and self._fetching.acquire(blocking=False):
            try:
                self._rung.clear()
                self._fetch()
            finally:
                self._fetching.release()

    def _fetch(self) -> None:
        from noria.label import gather

        try:
            desk = label_studio_desk(self.home, self.stores)
            receipt = gather(self.stores, desk, loop_policy(self.home.settings).settling)
            _log.info("%s new labels from Label Studio", receipt.counts["new"])
        except NoriaError as error:
            # the next turn fetches it: the bell only makes it sooner
            _log.warning("labels not fetched: %s", error)

    def now_ms(self) -> int:
        """The present."""
        return now_ms()

    def new_id(self) -> str:
        """A new unique id."""
        return new_id()

    def close(self) -> None:
        """Commits what waits and closes the stores."""
        if "service" in self.__dict__:
            self.service.close()
        self.stores.close()
