"""Sweeps: spec, plan of trials, Optuna's proposals, Ray Tune's execution, run directory."""

if __name__ != "mutransfer.sweep":  # at the repository's root: one module under two names
    raise ImportError("import mutransfer.sweep; this folder is a part of it")
