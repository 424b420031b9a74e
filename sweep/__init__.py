"""Sweeps: the spec, the plan of trials, Optuna's proposals, Ray Tune's execution, the run directory."""

__version__ = "0.1.0"
