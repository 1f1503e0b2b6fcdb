"""River's detectors and ruptures' segmenters on arrays of a file: `PEER_PYTHON peer_changes.py FILE.npz`, JSON out.

`wrong` (S, N): errors in order; `late` (R, N): rates by hour, each with one change. Defaults of the libraries.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import ruptures as rpt
from river.drift import ADWIN, PageHinkley

DETECTORS = {"ADWIN, 0.002": ADWIN, "Page-Hinkley": PageHinkley}


def first_alarms(make: type, wrong: np.ndarray) -> list[int]:
    """First label in alarm of each stream, N where there is none."""
    out = []
    for row in wrong:
        detector, at = make(), len(row)
        for i, value in enumerate(row.tolist()):
            detector.update(value)
            if detector.drift_detected:
                at = i
                break
        out.append(at)
    return out


def cuts(rates: np.ndarray) -> dict[str, list[int]]:
    """The one cut of each row by BinSeg and KernelCPD (rbf), and PELT's strongest at its usual penalty (3 log n).

    PELT is ruptures' own in C: KernelCPD with a linear kernel has the cost of a change of mean, every place tried.
    """
    found: dict[str, list[int]] = {"PELT": [], "BinSeg": [], "KernelCPD": []}
    for row in rates:
        z = (row - row.mean()) / row.std()
        n = len(z)
        bound = rpt.KernelCPD(kernel="linear", min_size=2).fit(z[:, None]).predict(pen=3 * np.log(n))[:-1]
        gaps = [abs(z[:b].mean() - z[b:].mean()) * np.sqrt(b * (n - b)) for b in bound]
        found["PELT"].append(bound[int(np.argmax(gaps))] if bound else n)
        found["BinSeg"].append(rpt.Binseg(model="l2", jump=1, min_size=2).fit(z).predict(n_bkps=1)[0])
        found["KernelCPD"].append(rpt.KernelCPD(kernel="rbf", min_size=2).fit(z[:, None]).predict(n_bkps=1)[0])
    return found


def main() -> None:
    """Alarms and cuts."""
    data = np.load(sys.argv[1])
    said: dict[str, dict] = {"alarms": {}, "seconds": {}}
    for name in [key for key in data.files if key.startswith("wrong")]:
        for title, make in DETECTORS.items():
            began = time.process_time()
            said["alarms"][f"{title}|{name}"] = first_alarms(make, data[name].astype(float))
            said["seconds"][f"{title}|{name}"] = time.process_time() - began
    said["cuts"] = {key: cuts(data[key]) for key in data.files if key.startswith("rates")}
    print(json.dumps(said, default=int))


if __name__ == "__main__":
    main()
