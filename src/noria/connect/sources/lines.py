"""Lines of a stream of bytes in bounded memory: a line over the limit is skipped, one in another encoding is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_CHUNK = 1 << 20


class Block(NamedTuple):
    """Whole lines: the 1-based number of the first, and their bytes, without the lines that were too long."""

    first_line: int
    data: bytes
    too_long: tuple[tuple[int, int, bytes], ...]
    """Number, length in bytes and beginning of each line over the limit; their places hold an empty line."""


def blocks(stream: BinaryIO, *, block_bytes: int, max_line_bytes: int) -> Iterator[Block]:
    """The lines of a stream, some megabytes at a time; the last line may lack its end."""
    pending: list[bytes] = []
    held, line = 0, 1
    while True:
        chunk = stream.read(_CHUNK)
        cut = chunk.rfind(b"\n") + 1
        if not chunk or (cut and held + cut >= block_bytes):
            pending.append(chunk[:cut] if chunk else b"")
            data, too_long, n_lines = _limited(b"".join(pending), line, max_line_bytes)
            if data or too_long:
                yield Block(line, data, too_long)
            line += n_lines
            if not chunk:
                return
            pending, held = [chunk[cut:]], len(chunk) - cut
            continue
        pending.append(chunk)
        held += len(chunk)
        if not cut and held > max_line_bytes and _last_line_bytes(pending) > max_line_bytes:
            before, start = _split_last(b"".join(pending))
            if before:
                data, too_long, n_lines = _limited(before, line, max_line_bytes)
                yield Block(line, data, too_long)
                line += n_lines
            length, rest, ended = _skip_line(stream, len(start))
            yield Block(line, b"\n", ((line, length, start[:300]),))
            line += 1
            pending, held = [rest], len(rest)
            if ended:
                return


def decoded(line: bytes, fallback: str | None) -> tuple[str, bool]:
    """A line as text, and whether the fallback encoding was needed.

    Raises:
        UnicodeDecodeError: it is not UTF-8, and there is no fallback.
    """
    try:
        return line.decode("utf-8"), False
    except UnicodeDecodeError:
        if fallback is None:
            raise
        return line.decode(fallback, errors="replace"), True


def _last_line_bytes(pending: list[bytes]) -> int:
    length = 0
    for part in reversed(pending):
        at = part.rfind(b"\n")
        length += len(part) - at - 1
        if at >= 0:
            break
    return length


def _split_last(data: bytes) -> tuple[bytes, bytes]:
    at = data.rfind(b"\n") + 1
    return data[:at], data[at:]


def _skip_line(stream: BinaryIO, length: int) -> tuple[int, bytes, bool]:
    """Reads on to the end of the line: its length, what was read after it, and whether the stream ended."""
    while chunk := stream.read(_CHUNK):
        at = chunk.find(b"\n")
        if at >= 0:
            return length + at, chunk[at + 1 :], False
        length += len(chunk)
    return length, b"", True


def _limited(data: bytes, line: int, limit: int) -> tuple[bytes, tuple[tuple[int, int, bytes], ...], int]:
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    if len(data) <= limit:
        return data, (), lines
    parts = data.split(b"\n")
    long = [(line + n, len(p), p[:300]) for n, p in enumerate(parts) if len(p) > limit]
    if not long:
        return data, (), lines
    return b"\n".join(p if len(p) <= limit else b"" for p in parts), tuple(long), lines
