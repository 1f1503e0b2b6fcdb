"""NannyML or Evidently on the columns of monitored.py: PEER_PYTHON peer_monitors.py nannyml|evidently ACCOUNTS REPEATS.

Least CPU seconds of REPEATS of the calculation alone, as JSON; imports and making the data are not counted. Telemetry
must be off.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from monitored import CLASSES, COLUMNS, LABELLED, LATER, REFERENCE, ROWS, WINDOWS, classified, columns

warnings.filterwarnings("ignore")
START = pd.Timestamp("2026-01-05")


def frame(rows: int, seed: int) -> pd.DataFrame:
    """The columns, the decision as text and the day as a time."""
    out = pd.DataFrame(columns(rows, seed))
    out["decision"] = out["decision"].map({0: "answer", 1: "clarify", 2: "handoff"})
    out["time"] = START + pd.to_timedelta(out["day"], unit="D")
    return out


def nannyml(reference: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Univariate drift by day."""
    from nannyml import UnivariateDriftCalculator

    drift = UnivariateDriftCalculator(list(COLUMNS), timestamp_column_name="time", chunk_period="D")
    drift.fit(reference).calculate(rows).to_df()


def evidently(reference: pd.DataFrame, rows: pd.DataFrame) -> None:
    """A drift report of each day."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=list(COLUMNS[:3]), categorical_columns=["decision"])
    names = list(COLUMNS)
    known = Dataset.from_pandas(reference[names], data_definition=definition)
    for _, part in rows.groupby("day"):
        now = Dataset.from_pandas(part[names], data_definition=definition)
        Report([DataDriftPreset()]).run(now, known).dict()


def least(work: Callable[[], None], repeats: int) -> float:
    """CPU seconds of the quickest repeat."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def cbpe() -> dict[str, object]:
    """NannyML's estimate of accuracy by window."""
    from nannyml import CBPE

    scores, truth, real = classified(1)
    names = [f"c{i}" for i in range(CLASSES)]
    table = pd.DataFrame({f"p_{n}": scores[:, i] for i, n in enumerate(names)})
    table["y_pred"] = [names[i] for i in scores.argmax(axis=1)]
    table["y_true"] = [names[i] for i in truth]
    began = time.process_time()
    estimator = CBPE(
        metrics=["accuracy"],
        y_pred_proba={n: f"p_{n}" for n in names},
        y_true="y_true",
        y_pred="y_pred",
        problem_type="classification_multiclass",
        chunk_number=WINDOWS,
    )
    estimator.fit(table[:LABELLED])
    told = estimator.estimate(table[LABELLED:].drop(columns="y_true")).filter(period="analysis").to_df()
    seconds = time.process_time() - began
    values = told[("accuracy", "value")].to_numpy()
    return {"seconds": seconds, "error": float(np.abs(values - real).mean()), "rows": LATER}


def main() -> None:
    """The task of the command line."""
    peer, accounts, repeats = (
        {"nannyml": nannyml, "evidently": evidently}[sys.argv[1]],
        int(sys.argv[2]),
        int(sys.argv[3]),
    )
    said: dict[str, object] = {}
    small = frame(5_000, 3)
    peer(small, small)  # what is imported or compiled at first use is not counted
    reference, rows = frame(REFERENCE, 1), frame(ROWS, 2)

    def each() -> None:
        for account in range(accounts):
            peer(reference[reference["account"] == account], rows[rows["account"] == account])

    said["drift"] = least(lambda: peer(reference, rows), repeats)
    said["accounts"] = least(each, repeats)
    said["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if peer is nannyml:
        said["cbpe"] = cbpe()
        said["cbpe_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(said))


if __name__ == "__main__":
    main()
