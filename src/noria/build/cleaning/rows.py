"""Cleaning row by row: a pure function from raw to prepared batches, the same on every engine."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noria.build.cleaning.columns import Columns
from noria.build.cleaning.language import languages
from noria.build.cleaning.near import signatures
from noria.build.cleaning.rules import TEXT_RULES, Rules
from noria.build.cleaning.texts import BY_NAME, TextRule, masked

_LETTER = re.compile(r"[^\W_]")
_MASK = re.compile(r"\[[a-z]{2,10}\]")


@dataclass(frozen=True, slots=True)
class RowCleaner:
    """Cleans batches of raw rows; small and plain, so that it can be sent to an executor."""

    columns: Columns
    rules: Rules

    @property
    def schema(self) -> pa.Schema:
        """The schema of prepared rows."""
        raw = self.columns.raw_schema
        text = pa.string()
        return pa.schema(
            [
                pa.field("id", text), pa.field("text", text), pa.field("label", text), pa.field("language", text),
                pa.field("time_ms", pa.int64()), pa.field("updated_ms", pa.int64()),
                *[pa.field(c, raw.field(c).type) for c in self.columns.carried],
                pa.field("redacted", pa.int64()), pa.field("content", text), pa.field("signature", pa.binary()),
                pa.field("rules", pa.int64()), pa.field("reason", text), pa.field("detail", text),
            ]
        )  # fmt: skip

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The prepared rows of a batch of the raw table, in the same order."""
        columns, rules = self.columns, self.rules
        texts = _joined([batch[c] for c in columns.texts])
        applied = np.zeros(batch.num_rows, np.int64)
        for bit, name in enumerate(TEXT_RULES):
            if getattr(rules, name):
                texts, changed = _apply(BY_NAME[name], texts)
                applied |= changed.astype(np.int64) << bit
        reasons, details = self._judge(texts, batch["_fault"], batch["_detail"])
        said = languages(texts.to_pylist(), rules.min_language_chars) if rules.language else [None] * batch.num_rows
        if rules.languages:
            allowed = {None, *rules.languages}
            for at, code in enumerate(said):
                if code not in allowed and reasons[at] is None:
                    reasons[at], details[at] = "language", f"{code} is none of {', '.join(rules.languages)}"
        reason = pa.array(reasons, pa.string())
        judged = pc.if_else(pc.is_null(reason), texts, pa.scalar(None, pa.string()))
        made = {
            "id": batch[columns.key], "text": texts, "language": pa.array(said, pa.string()),
            "label": batch[columns.label] if columns.label else None,
            "time_ms": batch[columns.time] if columns.time else None,
            "updated_ms": batch["_updated_ms"], "redacted": _count_masks(texts) if rules.redact else None,
            "content": _contents(judged), "signature": signatures(judged) if rules.near != "off" else None,
            "rules": pa.array(applied), "reason": reason, "detail": pa.array(details, pa.string()),
            **{c: self._carried(batch[c], c) for c in columns.carried},
        }  # fmt: skip
        schema = self.schema
        arrays = [pa.nulls(batch.num_rows, f.type) if made[f.name] is None else made[f.name] for f in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _carried(self, values: pa.Array, column: str) -> pa.Array:
        if self.columns.types[column] == "text" and self.rules.redact:
            return _apply(BY_NAME["redact"], values)[0]
        return values

    def _judge(self, texts: pa.Array, faults: pa.Array, told: pa.Array) -> tuple[list[str | None], list[str | None]]:
        """Why rows cannot stay, and the detail."""
        reasons, details = faults.to_pylist(), told.to_pylist()
        rules = self.rules
        lengths = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False)
        short = lengths < max(20, 4 * rules.min_chars)
        # a word of ordinary text within reach: nothing absurd can be said of it
        usual = pc.fill_null(pc.match_substring_regex(texts, r"[A-Za-z]{2}[ ,.'\n]+[A-Za-z]+[ ,.'\n]+[A-Za-z]"), False)
        look = short | (lengths > rules.max_chars) | ~usual.to_numpy(zero_copy_only=False) | (lengths > 400)
        for at in np.flatnonzero(look):
            if reasons[at] is None:
                reasons[at], details[at] = self._fault_of(texts[int(at)].as_py() or "")
        return reasons, details

    def _fault_of(self, text: str) -> tuple[str | None, str | None]:
        rules = self.rules
        if len(text) > rules.max_chars:
            return "too_long", f"{len(text)} characters, the limit is {rules.max_chars}"
        said = _MASK.sub("", text)
        letters = len(_LETTER.findall(said[:2000]))
        if letters < rules.min_chars:
            return "empty", f"{letters} letters or digits, at least {rules.min_chars} are needed"
        if not rules.absurd:
            return None, None
        start = said[:2000].strip()
        if len(start) >= 10 and len(set(start.lower())) <= 2:
            return "absurd", "one sign again and again"
        if len(start) >= 20 and letters < 0.2 * len(start):
            return "absurd", "hardly a letter"
        if len(start) >= 200 and start.isascii() and max(map(len, start.split())) > 0.9 * len(start):
            return "absurd", "one long word"
        return None, None


def mask_raw(table: pa.Table, columns: Columns) -> pa.Table:
    """A table of raw rows with personal data taken out of its texts and of what was not declared."""
    for name in [*(c for c, t in columns.types.items() if t == "text" and c != columns.key), "more"]:
        at = table.schema.get_field_index(name)
        chunks = [_apply(BY_NAME["redact"], chunk)[0] for chunk in table[name].chunks]
        table = table.set_column(at, name, pa.chunked_array(chunks, pa.string()))
    return table


def shown(text: str) -> str:
    """A piece of a broken record that may be kept: redacted."""
    return masked(text)


def _apply(rule: TextRule, texts: pa.Array) -> tuple[pa.Array, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The texts after a rule, and which it changed."""
    mask = pc.fill_null(rule.screen(texts), False).to_numpy(zero_copy_only=False).astype(bool)
    hit = np.flatnonzero(mask)
    if not len(hit):
        return texts, mask
    before = texts.take(pa.array(hit)).to_pylist()
    after = [rule.change(text) for text in before]
    mask[hit] = [old != new for old, new in zip(before, after, strict=True)]
    fresh = pa.array([new for old, new in zip(before, after, strict=True) if old != new], pa.string())
    return (pc.replace_with_mask(texts, pa.array(mask), fresh) if len(fresh) else texts), mask


def _joined(parts: list[pa.Array]) -> pa.Array:
    if len(parts) == 1:
        return parts[0]
    # not null_handling="skip": it leaves out a row whose parts are all absent, and the result is shorter than its input
    joined = pc.binary_join_element_wise(*parts, "\n\n", null_handling="replace", null_replacement="")
    return pc.utf8_trim(joined, characters="\n")


def _count_masks(texts: pa.Array) -> pa.Array:
    return pc.cast(pc.count_substring_regex(texts, r"\[[a-z]{2,10}\]"), pa.int64())


def _contents(texts: pa.Array) -> pa.Array:
    """96 bits of BLAKE2b over the text in lower case, as hex."""
    lower = pc.cast(pc.utf8_lower(texts), pa.binary()).to_pylist()
    made = [None if t is None else hashlib.blake2b(t, digest_size=12).hexdigest() for t in lower]
    return pa.array(made, pa.string())
