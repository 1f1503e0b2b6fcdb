"""Joins what an experiment needs: tools of a worker, the desk of a sweep, the code that runs."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import noria
from noria.app.home import Home, open_home
from noria.app.wiring.clock import now_ms
from noria.app.wiring.encoders import load_encoder, user_cache
from noria.app.wiring.rooms import open_stores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from noria.agent.encoding import Encoder
    from noria.build.experiments.sweeps.plan import Plan
    from noria.build.experiments.sweeps.study import Proposals
    from noria.build.experiments.sweeps.sweep import Desk, Progress
    from noria.build.experiments.trial import Tools
    from noria.records.experiments import ExperimentRun
    from noria.stores import Stores
    from noria.stores.tracking.runs import RunLog
    from noria.stores.tracking.source import Source
    from noria.stores.vectors import VectorCache


def work(place: str, task: str) -> bytes:
    """Does one task of a sweep in the home `place`; found by its import path in processes and Spark executors."""
    from noria.build.experiments.trial import Task, run_trial

    return run_trial(Task.from_json(task), tools_of(place)).to_bytes()


@lru_cache(maxsize=2)
def tools_of(place: str) -> Tools:
    """The tools of this process for a home."""
    from noria.build.experiments.trial import Tools
    from noria.stores.tracking.environment import environment_facts
    from noria.stores.tracking.fits import FitCache

    stores = open_stores(open_home(Path(place)))
    return Tools(
        lake=stores.lake,
        blobs=stores.blobs,
        encoder=_training_encoder,
        memory=FitCache(user_cache() / "fits"),
        clock=time.process_time,
        environment=lru_cache(maxsize=1)(environment_facts),
    )


def bare_tools_of(place: str, *, from_scratch: bool) -> Tools:
    """Tools that fit everything again; `from_scratch`: that encode every text again too."""
    import dataclasses

    encoder = load_encoder if from_scratch else _training_encoder
    return dataclasses.replace(tools_of(place), memory=None, encoder=encoder, rows={})


def run_log(home: Home) -> RunLog:
    """The runs of a home."""
    from noria.stores.tracking.runs import RunLog

    return RunLog(home.experiments / "runs")


def sweep_folder(home: Home, name: str) -> Path:
    """Where a sweep keeps its plan and its study."""
    return home.experiments / "sweeps" / name


def source_of_this_process() -> Source:
    """The code that runs here."""
    from noria.stores.tracking.source import read_source

    return read_source(Path(noria.__file__).parent)


def sweep_desk(home: Home, stores: Stores, tell: Callable[[Progress], None]) -> Desk:
    """What a sweep of this home is run with."""
    from noria.build.experiments.manifest import keep_code
    from noria.build.experiments.sweeps.sweep import Desk

    code = keep_code(stores.blobs, source_of_this_process(), noria.__version__)
    return Desk(
        lake=stores.lake,
        blobs=stores.blobs,
        log=run_log(home),
        code=code,
        encoder=home.settings.encoder.spec,
        now_ms=now_ms,
        tell=tell,
    )


def environment_of(home: Home, stores: Stores, run: ExperimentRun) -> str:
    """The interpreter of an environment made from the lock that is archived with a run's code; made once for a lock.

    Raises:
        StateError: the archive has no lock. OutsideError: the packages cannot be installed.
    """
    from noria.build.experiments.manifest import SOURCE, read_manifest
    from noria.stores.tracking.environment import make_environment

    manifest, _ = read_manifest(stores.blobs, run)
    archive = stores.blobs.get(manifest["code"]["archive"])[SOURCE]
    return str(make_environment(archive, manifest["code"]["lock_sha256"], home.experiments / "environments"))


def proposals_of(home: Home, plan: Plan) -> Proposals:
    """The study of a plan, in the home or where the plan says."""
    from noria.build.experiments.sweeps.study import Coordinator, Proposals

    return Proposals(plan, sweep_folder(home, plan.name), Coordinator(socket.gethostname(), os.getpid()))


def _training_encoder(spec: str) -> Encoder | None:
    """The encoder with its memory on disk, and before that in this process: a sweep asks for the same texts again."""
    from noria.agent.encoding import CachedEncoder
    from noria.stores.vectors import VectorCache

    encoder = load_encoder(spec)
    if encoder is None:
        return None
    return CachedEncoder(encoder, _Near(VectorCache(user_cache() / "vectors.db"), encoder.fingerprint))


@lru_cache(maxsize=2)
def _near(fingerprint: str) -> dict[bytes, npt.NDArray[np.float32]]:
    return {}


class _Near:
    """Vectors of this process, before those on disk."""

    def __init__(self, far: VectorCache, fingerprint: str) -> None:
        self._far, self._held = far, _near(fingerprint)

    def get(self, fingerprint: str, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        missing = [key for key in keys if key not in self._held]
        if missing:
            self._held |= self._far.get(fingerprint, missing)
        return {key: self._held[key] for key in keys if key in self._held}

    def put(self, fingerprint: str, vectors: Mapping[bytes, npt.NDArray[np.float32]]) -> None:
        self._held |= vectors
        self._far.put(fingerprint, vectors)
