"""How the monitor watches: series of outcomes, their detectors between turns, and where a change began."""
