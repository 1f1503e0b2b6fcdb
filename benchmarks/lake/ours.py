"""The pipeline over a folder of tickets: `python ours.py FOLDER LAKE`; prints what the run did."""

from __future__ import annotations

import sys

from noria.build import run_feed
from noria.build.pipeline.feed import feed_of
from noria.connect.sources.files import FileSource
from noria.stores.lake import Lake

FEED = {
    "columns": {
        "id": "name", "subject": "text", "body": "text", "category": "name", "requester": "person",
        "created_at": "time", "updated_at": "time",
    },
    "key": "id", "texts": ["subject", "body"], "updated": "updated_at", "time": "created_at", "label": "category",
    "contract": {"max_quarantine_share": 0.1}, "full_refresh_days": 0, "mask_raw": False,
}  # fmt: skip

if __name__ == "__main__":
    feed = feed_of("tickets", FEED)
    receipt = run_feed(Lake(sys.argv[2]), feed, FileSource(f"{sys.argv[1]}/*.jsonl"), time_ms=1)
    print(receipt.status, dict(receipt.counts), dict(receipt.reasons), dict(receipt.rules), receipt.message)
