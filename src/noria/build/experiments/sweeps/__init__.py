"""Many runs of one question: the plan, the study that proposes settings, who runs them, campaigns of sweeps."""
