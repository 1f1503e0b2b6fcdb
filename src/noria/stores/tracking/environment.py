"""The environment of this process: interpreter, packages, processor, numeric libraries, threads."""

from __future__ import annotations

import io
import os
import platform
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from noria.errors import OutsideError, StateError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CORE = ("numpy", "scipy", "scikit-learn", "onnxruntime", "tokenizers", "safetensors", "threadpoolctl", "pyarrow")


def environment_facts() -> dict[str, object]:
    """python, platform, cpu, cores, blas, threads, packages (name → version of all that Noria needs to run)."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "cpu": _processor(),
        "cores": os.cpu_count() or 0,
        "blas": _blas(),
        "threads": {name: os.environ.get(name, "") for name in _THREADS},
        "packages": packages(),
    }


def packages() -> dict[str, str]:
    """Name → version of each package that Noria needs, whether itself or through another, in order of name.

    Development tools that happen to lie beside them are not told: they change no result. The names come from the lock
    beside the source; where there is none, from what the installed packages say that they need.
    """
    lock = Path(__file__).parents[4] / "requirements" / "runtime.lock"
    if lock.is_file():
        names = re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==", lock.read_text(encoding="utf-8"), re.MULTILINE)
        return _versions(names, follow=False)
    return _versions(["noria", *_CORE], follow=True)


def _versions(names: list[str], *, follow: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    ahead = list(names)
    while ahead:
        name = re.sub(r"[-_.]+", "-", ahead.pop()).lower()
        if name in found:
            continue
        try:
            there = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = there.version
        wanted = [w for w in there.requires or () if "extra ==" not in w] if follow else []
        ahead += [hit.group() for w in wanted if (hit := _NAME.match(w))]
    found.pop("noria", None)  # it is told by its source
    return dict(sorted(found.items()))


def make_environment(archive: bytes, lock_sha256: str, root: Path) -> Path:
    """The interpreter of a virtual environment with exactly the packages of an archived lock; one for each lock.

    Packages come from wherever this machine's pip takes them, each checked by the hash in the lock.

    Raises:
        StateError: the archive holds no lock. OutsideError: the packages cannot be installed.
    """
    if not lock_sha256:
        raise StateError("this run's code was archived without a lock, so its environment cannot be built again.")
    home = root / lock_sha256[:16]
    python = home / "bin" / "python"
    if (home / "complete").exists():
        return python
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile("requirements/runtime.lock")
        lock = member.read() if member else b""
    home.mkdir(parents=True, exist_ok=True)
    (home / "runtime.lock").write_bytes(lock)
    pip = [str(python), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", "install"]
    for command in (
        [sys.executable, "-m", "venv", str(home)],
        [*pip, "--require-hashes", "-r", str(home / "runtime.lock")],
    ):
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise OutsideError(f"the environment {home} cannot be built: {said}", retry_helps=True)
    (home / "complete").touch()
    return python


def _processor() -> Mapping[str, str]:
    """Model and the vector instructions that numeric libraries choose their code by."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {"model": platform.processor(), "vectors": ""}
    facts = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    flags = facts.get("flags", facts.get("Features", "")).split()
    vectors = sorted(f for f in flags if f.startswith(("avx", "sse4", "fma", "amx", "asimd", "sve")))
    return {"model": facts.get("model name", platform.machine()), "vectors": " ".join(vectors)}


def _blas() -> list[str]:
    import numpy  # noqa: F401, ICN001 - brings its BLAS into the process
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    told = [
        f"{i.get('internal_api')} {i.get('version')} {i.get('architecture', '')} {i.get('num_threads')} threads"
        for i in threadpool_info()
        if i.get("user_api") == "blas"
    ]
    return sorted(set(told))
