"""The same steps written by hand in Polars: `python peer_polars.py FOLDER LAKE`; one thread by POLARS_MAX_THREADS.

Read, join, HTML, NFKC, mail noise, blanks, personal data, language, exact and near duplicates, label conflicts, empty
texts; raw, clean and quarantine as Delta tables. Rust's regular expressions stand for the rules, without checksums.
"""

from __future__ import annotations

import sys

import polars as pl
from deltalake import write_deltalake
from py3langid.langid import MODEL_FILE, LanguageIdentifier

TAGS = r"(?i)</?(?:p|br|b|i|div|span|a|ul|ol|li|table|tr|td|h[1-6]|html|body|head|font|img|em|strong)(?:\s[^<>]*)?/?>"
PERSONAL = (
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*", "[key]"),
    (r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", "[token]"),
    (
        r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|sk-[\w-]{20,})",
        "[token]",
    ),
    (r"(?i)\bbearer\s+[\w.~+/=-]{16,}", "[token]"),
    (r"(?i)\b(?:password|passwd|pwd|secret|api[ _-]?key|token|pin)\s{0,3}[:=]\s{0,3}\S+", "[secret]"),
    (r"[A-Za-z0-9_.+%-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", "[email]"),
    (r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}\b", "[iban]"),
    (r"\b\d(?:[ -]?\d){12,18}\b", "[card]"),
    (r"\b(?:\d{1,3}\.){3}\d{1,3}\b", "[ip]"),
    (r"(?:\+|\()?\d(?:[\s().\-/]{0,2}\d){6,16}", "[phone]"),
    (r"[A-Za-z0-9_-]{32,}", "[token]"),
)


def cleaned(text: pl.Expr) -> pl.Expr:
    """The text rules."""
    text = text.str.replace_all(TAGS, "\n").str.replace_all("&amp;", "&", literal=True).str.normalize("NFKC")
    text = text.str.replace(r"(?ms)^[ \t]*(?i:on|am)\b[^\n]+(?i:wrote|schrieb):[ \t]*$.*", "")
    text = text.str.replace(r"(?ms)^--[ \t]?$.*", "").str.replace_all(r"(?m)^[ \t]*>[^\n]*\n?", "")
    text = text.str.replace_all(r"[^\S\n]+", " ").str.replace_all(r" ?\n ?", "\n").str.replace_all(r"\n{3,}", "\n\n")
    for pattern, word in PERSONAL:
        text = text.str.replace_all(pattern, word)
    return text.str.strip_chars()


def near(rows: pl.DataFrame) -> pl.DataFrame:
    """For each row the earliest that shares a band of four of 24 slots, as in the pipeline."""
    bands = []
    for part in rows.iter_slices(100_000):
        words = part.select("rank", pl.col("text").str.to_lowercase().str.extract_all(r"[\pL\pN]+").alias("w")).explode(
            "w"
        )
        shingles = words.with_columns(
            h=(pl.col("w") + " " + pl.col("w").shift(-1).over("rank") + " " + pl.col("w").shift(-2).over("rank")).hash(
                7
            )
        ).drop_nulls()
        slots = shingles.group_by("rank", (pl.col("h") % 24).alias("slot")).agg(pl.col("h").min())
        bands.append(
            slots.sort("slot").group_by("rank", (pl.col("slot") // 4).alias("band")).agg(pl.col("h"))
            .filter(pl.col("h").list.len() == 4).with_columns(pl.col("h").hash(7))
        )  # fmt: skip
    every = pl.concat(bands)
    first = every.group_by("band", "h").agg(pl.col("rank").min().alias("near_of"))
    found = every.join(first, on=["band", "h"]).filter(pl.col("near_of") < pl.col("rank"))
    return found.group_by("rank").agg(pl.col("near_of").min())


def main() -> None:
    """All steps."""
    folder, lake = sys.argv[1:3]
    raw = pl.read_ndjson(f"{folder}/*.jsonl")
    write_deltalake(f"{lake}/raw", raw.to_arrow())
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    rows = raw.sort("updated_at").unique("id", keep="last").sort("created_at", "id").with_row_index("rank")
    del raw
    rows = rows.with_columns(text=cleaned(pl.col("subject") + "\n\n" + pl.col("body"))).drop("subject", "body")
    rows = rows.with_columns(
        language=pl.col("text").map_elements(lambda t: model.classify(t[:160])[0], return_dtype=pl.String),
        fold=pl.col("text").str.to_lowercase(),
    )
    rows = rows.with_columns(
        empty=pl.col("text").str.count_matches(r"[\pL\pN]") < 2,
        conflict=pl.col("category").n_unique().over("fold") > 1,
        twice=pl.col("rank") != pl.col("rank").min().over("fold"),
    )
    bad = pl.col("empty") | pl.col("conflict") | pl.col("twice")
    kept = rows.filter(~bad)
    kept = kept.join(near(kept), on="rank", how="left")
    aside = rows.filter(bad)
    write_deltalake(f"{lake}/clean", kept.drop("fold", "empty", "conflict", "twice").to_arrow())
    write_deltalake(f"{lake}/quarantine", aside.drop("fold").to_arrow())
    print(kept.height, aside.height, kept["near_of"].count())


if __name__ == "__main__":
    main()
