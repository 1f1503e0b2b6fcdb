"""MinHash signatures of many texts at once: shingles of three words, one permutation, densified.

Sources: Broder (1997), On the resemblance and containment of documents; Li, Owen and Zhang (2012), One permutation
hashing; Shrivastava and Li (2014), Densifying one permutation hashing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

BANDS, ROWS = 6, 4
SLOTS = BANDS * ROWS
SIGNATURE_BYTES = SLOTS * 2
_MIN_SHINGLES = 3
_EMPTY = np.uint32(0xFFFFFFFF)

U64 = npt.NDArray[np.uint64]

# Letters in lower case, digits and all of UTF-8 beyond ASCII are parts of words; the rest is 0.
_FOLDED = np.zeros(256, np.uint8)
for _byte in range(256):
    if chr(_byte).isalnum() and _byte < 128:
        _FOLDED[_byte] = ord(chr(_byte).lower())
    elif _byte >= 128:
        _FOLDED[_byte] = _byte
_STARTS_ALONE = np.zeros(256, bool)
_STARTS_ALONE[0xE3:0xEE] = True  # scripts without blanks: each character is a word
_KEEP = np.array([(1 << (8 * n)) - 1 for n in range(8)] + [2**64 - 1], np.uint64)


def signatures(texts: pa.Array) -> pa.Array:
    """48 bytes for each text: 24 slots of 16 bits, in 6 bands of 4; null for fewer than three shingles."""
    rows, words = _words(texts)
    if len(words) < 3:
        return pa.nulls(len(texts), pa.binary())
    whole = rows[2:] == rows[:-2]
    shingles = _mixed(
        words[:-2] * np.uint64(0x9E3779B97F4A7C15) + words[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F) + words[2:]
    )
    shingles, rows = shingles[whole], rows[:-2][whole]
    slot = (shingles >> np.uint64(40)) % np.uint64(SLOTS)
    least = np.full(len(texts) * SLOTS, _EMPTY, np.uint32)
    np.minimum.at(least, rows * SLOTS + slot.astype(np.int64), (shingles & np.uint64(0xFFFFFFFE)).astype(np.uint32))
    dense = _densified(least.reshape(len(texts), SLOTS))
    enough = np.bincount(rows, minlength=len(texts)) >= _MIN_SHINGLES
    data = (dense >> np.uint32(16)).astype("<u2").tobytes()
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(SIGNATURE_BYTES), len(texts), [None, pa.py_buffer(data)])
    return pa.compute.if_else(pa.array(enough), fixed.cast(pa.binary()), pa.scalar(None, pa.binary()))


def bands(signature: pa.Array) -> U64:
    """The bands, shape (n, 6), each of four slots of 16 bits; the array must hold no null."""
    return np.frombuffer(joined(signature), dtype="<u8").reshape(len(signature), BANDS)


def joined(values: pa.Array) -> bytes:
    """The texts or bytes of an array without nulls, one after the other."""
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1] if len(values) else [0]
    return bytes(memoryview(data)[ends[0] : ends[-1]]) if data is not None else b""


def _words(texts: pa.Array) -> tuple[npt.NDArray[np.int64], U64]:
    """Row and hash of each word: its first 8 bytes in lower case, and its length."""
    texts = pa.concat_arrays([texts.fill_null("")])  # offsets from zero
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = (
        np.frombuffer(offset_buffer, np.int32, len(texts) + 1).astype(np.int64) if len(texts) else np.zeros(1, np.int64)
    )
    raw = (
        np.frombuffer(data_buffer, np.uint8, int(offsets[-1])) if data_buffer and offsets[-1] else np.zeros(0, np.uint8)
    )
    data = np.concatenate([_FOLDED[raw], np.zeros(8, np.uint8)])
    inside = data[:-8] > 0
    before = np.empty(len(inside), bool)
    before[:1] = False
    before[1:] = inside[:-1]
    before[offsets[:-1][offsets[:-1] < len(inside)]] = False  # a text never goes on with the word of the one before
    starts = np.flatnonzero(inside & (~before | _STARTS_ALONE[raw]))
    ends_at = np.flatnonzero(np.diff(np.concatenate([inside, [False]]).astype(np.int8), prepend=np.int8(0)) == -1)
    bounds = np.concatenate([starts[1:], [len(inside)]]) if len(starts) else starts
    ends = ends_at[np.searchsorted(ends_at, starts, side="right")] if len(starts) else starts
    lengths = np.minimum(np.minimum(ends, bounds) - starts, 255)
    windows = np.ndarray((len(inside),), "<u8", data.tobytes(), strides=(1,))
    hashes = (windows[starts] & _KEEP[np.minimum(lengths, 8)]) + lengths.astype(np.uint64) * np.uint64(
        0x632BE59BD9B4E019
    )
    rows = np.searchsorted(offsets, starts, side="right") - 1
    return rows, _mixed(hashes)


def _mixed(values: U64) -> U64:
    """The finaliser of MurmurHash3."""
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))


def _densified(least: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """An empty slot takes the value of the next full one to its right, changed by the distance."""
    out = least.copy()
    for distance in range(1, SLOTS):
        empty = out == _EMPTY
        if not empty.any():
            break
        lent = np.roll(least, -distance, axis=1)
        use = empty & (lent != _EMPTY)
        out[use] = lent[use] ^ np.uint32(distance * 0x9E3779B1 & 0xFFFFFFFE)
    return out
