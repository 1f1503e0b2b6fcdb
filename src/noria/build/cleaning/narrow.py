"""What decides about rows as a group, of very many rows: some fifty bytes each in memory, signatures on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.near import BANDS, bands, joined

NARROW = ("id", "time_ms", "label", "content", "signature", "reason")
"""The columns of prepared rows that decide; `reason` is what is known of the row so far."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
U64 = npt.NDArray[np.uint64]

NO_TIME = 2**63 - 1
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_CONTENT = np.dtype([("high", "<u8"), ("low", "<u4")])


class Words:
    """Short words by number, so that a row holds two bytes for its label or reason; -1 = none."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self._at: dict[str, int] = {}

    def code(self, word: str) -> int:
        """The number of a word, from now on."""
        if word not in self._at:
            self._at[word] = len(self.known)
            self.known.append(word)
        return self._at[word]

    def codes(self, values: pa.Array) -> npt.NDArray[np.int32]:
        """The numbers of words, shape (n,)."""
        coded = values.dictionary_encode()
        mine = np.array([*map(self.code, coded.dictionary.to_pylist()), -1], np.int32)
        at: npt.NDArray[np.int32] = pc.fill_null(coded.indices, len(mine) - 1).to_numpy(zero_copy_only=False)
        return mine[at]

    def counts(self, codes: npt.NDArray[np.int32]) -> dict[str, int]:
        """How often each word is among codes."""
        numbers = np.bincount(codes[codes >= 0], minlength=len(self.known)).tolist()
        return {word: n for word, n in zip(self.known, numbers, strict=True) if n}

    def texts(self, codes: npt.NDArray[np.int32]) -> pa.Array:
        """The words of codes."""
        return pa.array(self.known, pa.string()).take(pa.array(np.maximum(codes, 0), mask=codes < 0))


class Narrow:
    """The deciding columns of many rows, in the order in which they were added.

    Args:
        folder: for the bands of the signatures; made where it is missing.
        verdicts: whether rows come with `detail` and `near_of`, which are then kept.
    """

    def __init__(self, folder: Path, *, verdicts: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = [folder / f"band-{n}" for n in range(BANDS)]
        self._ids: list[pa.Array] = []
        self._parts: list[tuple[npt.NDArray[np.generic], ...]] = []
        self._told: list[tuple[pa.Array, pa.Array]] = []
        self._with_verdicts = verdicts
        self.added = 0
        """How many rows were added."""
        self.labels, self.reasons = Words(), Words()
        self.ids = pa.array([], pa.string())
        self.time_ms = np.zeros(0, np.int64)
        self.label = np.zeros(0, np.int32)
        self.reason = np.zeros(0, np.int32)
        self.judged = np.zeros(0, bool)
        """Which rows have a text that others can repeat."""
        self.signed = np.zeros(0, bool)
        self.high = np.zeros(0, np.uint64)
        """The content's first 64 bits; with `low` all 96."""
        self.low = np.zeros(0, np.uint32)
        self.detail = self.near_of = pa.array([], pa.string())

    def __len__(self) -> int:
        return len(self.time_ms)

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes rows on; they are there after `close`."""
        n = batch.num_rows
        self.added += n
        judged = _mask(batch["content"])
        content = np.zeros(n, _CONTENT)
        content[judged] = _contents(batch["content"])
        signed = _mask(batch["signature"])
        keys = np.zeros((n, BANDS), np.uint64)
        keys[signed] = bands(batch["signature"].drop_null())
        for number, path in enumerate(self._paths):
            with path.open("ab") as file:
                file.write(keys[:, number].tobytes())
        times = pc.fill_null(batch["time_ms"], NO_TIME).to_numpy(zero_copy_only=False)
        label, reason = self.labels.codes(batch["label"]), self.reasons.codes(batch["reason"])
        self._ids.append(pa.concat_arrays([batch["id"]]))  # a slice would hold the whole batch
        self._parts.append((times, label, reason, judged, signed, content["high"].copy(), content["low"].copy()))
        if self._with_verdicts:
            self._told.append(tuple(pa.concat_arrays([batch[c]]) for c in ("detail", "near_of")))

    def close(self) -> Narrow:
        """Everything added so far, ready to be asked."""
        if self._parts:
            columns = list(zip(*self._parts, strict=True))
            self._parts.clear()
            arrays = [np.concatenate(columns.pop(0)) for _ in range(7)]
            self.time_ms, self.label, self.reason, self.judged, self.signed, self.high, self.low = arrays
            self.ids = pa.concat_arrays(self._ids)
            self._ids.clear()
        if self._told:
            self.detail, self.near_of = (pa.concat_arrays(column) for column in zip(*self._told, strict=True))
            self._told.clear()
        return self

    def band(self, number: int) -> U64:
        """One band of each row's signature, shape (n,); 0 where there is none."""
        return np.fromfile(self._paths[number], np.uint64) if len(self) else np.zeros(0, np.uint64)

    def same_content(self, among: Bools) -> Bools:
        """Rows that say the same as one of those, and hardly any other."""
        wanted = self.high[among & self.judged]
        return _member(self.high, wanted) & self.judged

    def same_bands(self, among: Bools) -> Bools:
        """Rows that share a band with one of those, and hardly any other."""
        found = np.zeros(len(self), bool)
        few = among & self.signed
        for number in range(BANDS if few.any() else 0):
            keys = self.band(number)
            found |= _member(keys, keys[few])
        return found & self.signed


def like(ids: pa.Array, at: Ints) -> pa.Array:
    """The words "like ID" for each place, null where it is -1."""
    return pc.binary_join_element_wise("like", ids.take(pa.array(np.maximum(at, 0), mask=at < 0)), " ")


def _member(values: U64, wanted: U64) -> Bools:
    """Which values are among some, and hardly any other: looked up in two tables of bits.

    `np.isin` takes twenty times as long; a row too many is only looked at in vain.
    """
    found = np.zeros(len(values), bool)
    bits = min(22, max(14, 6 + len(wanted).bit_length()))  # one place in fifty is taken, or few more
    at, left = np.arange(0), values
    for turn, factor in enumerate(_FACTORS):  # the least of hashes are no even numbers before they are mixed
        screen = np.zeros(1 << bits, bool)
        screen[wanted * factor >> np.uint64(64 - bits)] = True
        hit = np.flatnonzero(screen[left * factor >> np.uint64(64 - bits)])
        at = hit if turn == 0 else at[hit]
        left = values[at]
    found[at] = True
    return found


def _mask(values: pa.Array) -> Bools:
    return np.asarray(pc.is_valid(values).to_numpy(zero_copy_only=False), bool)


def _contents(values: pa.Array) -> npt.NDArray[np.void]:
    """96 bits of each valid content, from 24 hexadecimal digits."""
    return np.frombuffer(bytes.fromhex(joined(values.drop_null()).decode()), _CONTENT)


def pieces(batches: Iterable[pa.RecordBatch], at_least: int = 65_536) -> Iterator[pa.RecordBatch]:
    """The same rows in larger batches, since what is done to a batch costs something each time."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(b.num_rows for b in held) >= at_least:
            yield held[0] if len(held) == 1 else pa.concat_batches(held)
            held = []
    if held:
        yield held[0] if len(held) == 1 else pa.concat_batches(held)
