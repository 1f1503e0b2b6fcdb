"""Makes a run again from what its manifest pins, in a process of its own on the archived code, and compares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from noria.build.experiments.compare import Comparison, compare
from noria.build.experiments.manifest import SOURCE, Code, manifest_of, read_manifest
from noria.build.experiments.sweeps.best import task_of
from noria.build.experiments.trial import Outcome, Tools, run_trial
from noria.errors import OutsideError, StateError, UsageError
from noria.records import DataVersion
from noria.records.experiments import ExperimentRun
from noria.stores import Stores
from noria.stores.lake.care.erasures import erased_since
from noria.stores.tracking.source import Source, unpack_source

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "PYTHONPATH")
"""Variables that the process apart is given; others could change what it does."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Copy:
    """What came of making a run again. `missing`: why it could not be made (data or code are gone), else "".

    `erased`: a sentence where the data held rows of a person that were erased since, else "".
    """

    tag: str
    comparison: Comparison | None
    missing: str = ""
    erased: str = ""

    @property
    def identical(self) -> bool:
        """Whether it came out the same in everything."""
        return self.comparison is not None and self.comparison.identical

    def told(self) -> str:
        """For people."""
        told = f"{self.tag}: {self.comparison.told() if self.comparison else self.missing}"
        return f"{told}\n{self.erased[:1].upper()}{self.erased[1:]}" if self.erased else told


def reproduce(
    stores: Stores,
    run: ExperimentRun,
    *,
    home: Path,
    python: str = sys.executable,
    overrides: Mapping[str, Any] | None = None,
    this_code: bool = False,
    from_scratch: bool = False,
) -> Copy:
    """Makes a run again and compares.

    Args:
        stores: of the home.
        run: which.
        home: its folder.
        python: the interpreter, with its packages, that the archived code runs on.
        overrides: settings to change on purpose.
        this_code: whether to run the code of this process instead of the archived one.
        from_scratch: whether texts are encoded again too, instead of taking their vectors from the cache.

    Raises:
        StateError: the run failed, or its manifest or archive is damaged.
        OutsideError: the process on the archived code broke off.
    """
    manifest, said = read_manifest(stores.blobs, run)
    gone, erased = _gone(stores, manifest), _erased(stores, manifest)
    if gone:
        return Copy(run.tag, None, gone, erased)
    if overrides:
        recipe = {**manifest["settings"]["recipe"], **overrides}
        wanted = {**manifest, "settings": {**manifest["settings"], "recipe": recipe}}
    else:
        wanted = manifest
    with tempfile.TemporaryDirectory(prefix="noria-reproduce-") as folder:
        work = Path(folder)
        source = None
        if not this_code:
            source = unpack_source(stores.blobs.get(manifest["code"]["archive"])[SOURCE], work / "code")
        options = ["--from-scratch"] if from_scratch else []
        again, said_again = _run_apart(wanted, work, source, [python, "-m", "noria", "--home", str(home)], options)
    return Copy(run.tag, compare(manifest, again, said, said_again), erased=erased)


def rerun(manifest: Mapping[str, Any], tools: Tools, source: Source, version: str) -> tuple[dict[str, Any], bytes]:
    """(manifest, predictions as kept) of a run made again in this process; what the process apart calls.

    The data are read and hashed anew: the new manifest says what is there now.

    Raises:
        UsageError: the run failed this time.
    """
    task = task_of(dict(manifest))
    outcome = run_trial(task, tools)
    if outcome.reason:
        raise UsageError(f"the run failed this time: {outcome.reason}")
    facts = {"version": version, "sha256": source.sha256, "lock_sha256": source.lock_sha256}
    code = Code(**{**manifest["code"], **facts})
    found = manifest_of(task, outcome, code, experiment=manifest["experiment"], time_ms=manifest["time_ms"])
    for kind in ("examples", "articles"):
        pinned = manifest["data"][kind]
        if pinned is not None:
            found["data"][kind] = asdict(tools.lake.read_again(DataVersion(**pinned)))
    return found, outcome.predictions


def read_copy(content: bytes) -> tuple[dict[str, Any], bytes]:
    """What `write_copy` wrote."""
    told = json.loads(content)
    outcome = Outcome.from_bytes(json.dumps(told["outcome"]).encode())
    manifest: dict[str, Any] = told["manifest"]
    return manifest, outcome.predictions


def write_copy(manifest: Mapping[str, Any], predictions: bytes) -> bytes:
    """The answer of the process apart."""
    told = json.loads(Outcome(str(manifest["tag"]), int(manifest["number"]), predictions=predictions).to_bytes())
    return json.dumps({"manifest": manifest, "outcome": told}).encode()


def _gone(stores: Stores, manifest: Mapping[str, Any]) -> str:
    """Why the run cannot be made again; "" where its data are there."""
    for kind in ("examples", "articles"):
        pinned = manifest["data"][kind]
        try:
            if pinned is not None:
                stores.lake.verify(DataVersion(**pinned))
        except (UsageError, StateError) as error:
            return f"cannot be repeated, first in data: {kind} {pinned['name']}@{pinned['version']} is gone. {error}"
    return ""


def _erased(stores: Stores, manifest: Mapping[str, Any]) -> str:
    """Of a run on data of which something was erased since: a sentence that says so."""
    pinned = manifest["data"]["examples"]
    try:
        return "" if pinned is None else erased_since(stores.lake, DataVersion(**pinned))
    except (UsageError, StateError):  # the table itself is gone, which `_gone` tells
        return ""


def _run_apart(
    manifest: Mapping[str, Any], work: Path, source: Path | None, command: list[str], options: list[str]
) -> tuple[dict[str, Any], bytes]:
    (work / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("NORIA_")}
    if source is not None:
        kept["PYTHONPATH"] = str(source)
    asked = [*command, "experiments", "rerun", "--manifest", "manifest.json", "--out", "copy.json", *options]
    done = subprocess.run(asked, cwd=work, env=kept | _ONE_THREAD, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        where = "the archived code" if source else "this code"
        raise OutsideError(f"the run on {where} broke off: {said[-1]}", retry_helps=False)
    return read_copy((work / "copy.json").read_bytes())
