"""Experiments that can be repeated: a trial with its manifest, sweeps of trials, and what a run is compared by."""
