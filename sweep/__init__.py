"""Sweeps: spec, plan of trials, Optuna's proposals, Ray Tune's execution, run directory."""

__version__ = "0.1.0"
