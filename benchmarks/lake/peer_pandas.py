"""The same steps as one writes them in plain pandas: `python peer_pandas.py FOLDER LAKE`.

Read, join, HTML, NFKC, mail noise, blanks, personal data, language, exact and near duplicates, label conflicts, empty
texts; raw, clean and quarantine as Delta tables. The personal data as in `peer_polars.py`, without checksums.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
from deltalake import write_deltalake
from py3langid.langid import MODEL_FILE, LanguageIdentifier

TAGS = re.compile(
    r"</?(?:p|br|b|i|div|span|a|ul|ol|li|table|tr|td|h[1-6]|html|body|head|font|img|em|strong)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
STEPS = [
    (TAGS, "\n"),
    (re.compile(r"^[ \t]*(?:on|am)\b[^\n]+(?:wrote|schrieb):[ \t]*$.*", re.IGNORECASE | re.MULTILINE | re.DOTALL), ""),
    (re.compile(r"^--[ \t]?$.*", re.MULTILINE | re.DOTALL), ""),
    (re.compile(r"^[ \t]*>[^\n]*\n?", re.MULTILINE), ""),
    (re.compile(r"[^\S\n]+"), " "),
    (re.compile(r" ?\n ?"), "\n"),
    (re.compile(r"\n{3,}"), "\n\n"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*"), "[key]"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"), "[token]"),
    (re.compile(r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,})"), "[token]"),
    (re.compile(r"\bbearer\s+[\w.~+/=-]{16,}", re.IGNORECASE), "[token]"),
    (re.compile(r"(?i)\b(?:password|passwd|pwd|secret|api[ _-]?key|token|pin)\s{0,3}[:=]\s{0,3}\S+"), "[secret]"),
    (re.compile(r"[A-Za-z0-9_.+%-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), "[email]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}\b"), "[iban]"),
    (re.compile(r"\b\d(?:[ -]?\d){12,18}\b"), "[card]"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "[ip]"),
    (re.compile(r"(?:\+|\()?\d(?:[\s().\-/]{0,2}\d){6,16}"), "[phone]"),
    (re.compile(r"[A-Za-z0-9_-]{32,}"), "[token]"),
]  # fmt: skip
WORDS = re.compile(r"[^\W_]+")


def bands(text: str) -> list[tuple[int, ...]]:
    """Four slots of 24 each, of the least hashes of shingles of three words."""
    words = WORDS.findall(text.lower())
    slots: dict[int, int] = {}
    for shingle in zip(words, words[1:], words[2:], strict=False):
        value = hash(shingle)
        slot = value % 24
        if value < slots.get(slot, 1 << 64):
            slots[slot] = value
    found = []
    for band in range(6):
        held = tuple(slots.get(4 * band + n, 0) for n in range(4))
        if all(held):
            found.append((band, *held))
    return found


def main() -> None:
    """All steps."""
    folder, lake = sys.argv[1:3]
    raw = pd.concat([pd.read_json(path, lines=True, dtype=str) for path in Path(folder).glob("*.jsonl")])
    write_deltalake(f"{lake}/raw", pa.Table.from_pandas(raw, preserve_index=False))
    rows = raw.sort_values("updated_at").drop_duplicates("id", keep="last").sort_values(["created_at", "id"])
    rows = rows.reset_index(drop=True)
    del raw
    text = (rows["subject"] + "\n\n" + rows["body"]).str.replace("&amp;", "&", regex=False)
    text = text.str.normalize("NFKC")
    for pattern, word in STEPS:
        text = text.str.replace(pattern, word, regex=True)
    rows = rows.drop(columns=["subject", "body"]).assign(text=text.str.strip())
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    rows["language"] = rows["text"].map(lambda t: model.classify(t[:160])[0])
    fold = rows["text"].str.lower()
    same = rows.groupby(fold)
    conflict = same["category"].transform("nunique") > 1
    twice = fold.duplicated()
    empty = rows["text"].str.count(r"[^\W_]") < 2
    bad = empty | conflict | twice
    kept = rows[~bad].reset_index(drop=True)
    every = kept["text"].map(bands).explode().dropna()
    first = every.reset_index().groupby(every.values, sort=False)["index"].transform("min")
    near = pd.Series(first.to_numpy(), index=every.index)
    near = near[near < near.index].groupby(level=0).min()
    kept["near_of"] = kept["id"].reindex(near).set_axis(near.index)
    aside = rows[bad]
    write_deltalake(f"{lake}/clean", pa.Table.from_pandas(kept, preserve_index=False))
    write_deltalake(f"{lake}/quarantine", pa.Table.from_pandas(aside, preserve_index=False))
    print(len(kept), len(aside), int(kept["near_of"].notna().sum()))


if __name__ == "__main__":
    main()
