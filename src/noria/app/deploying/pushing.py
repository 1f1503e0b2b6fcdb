"""Builds the image and sends it to a registry, by docker or a program with the same commands (podman, buildah)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from noria.errors import OutsideError, UsageError

PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


def build(program: str, source: Path, image: str, architecture: str, tell: Callable[[str], None]) -> None:
    """Builds the image of a checkout's Dockerfile.

    Raises:
        UsageError: no Dockerfile there, or no such program. OutsideError: the build failed; its output says why.
    """
    if not (source / "Dockerfile").is_file():
        raise UsageError(f"there is no Dockerfile in {source}: name the folder of a checkout by --source.")
    tell(f"{program} builds {image}")
    _run([program, "build", "--platform", PLATFORMS[architecture], "--tag", image, str(source)])


def push(program: str, image: str, user: str, password: str, tell: Callable[[str], None]) -> None:
    """Sends an image to its registry. The password goes in by standard input, so no list of processes shows it."""
    registry = image.partition("/")[0]
    _run([program, "login", "--username", user, "--password-stdin", registry], given=password)
    tell(f"{program} pushes {image}")
    _run([program, "push", image])


def _run(command: Sequence[str], given: str | None = None) -> None:
    try:
        done = subprocess.run(command, input=given, text=True, check=False)
    except FileNotFoundError:
        raise UsageError(f"there is no program {command[0]!r} here: name another one by --builder.") from None
    if done.returncode != 0:
        raise OutsideError(
            f"'{' '.join(command[:2])}' ended with {done.returncode}; its output says why.", retry_helps=False
        )
