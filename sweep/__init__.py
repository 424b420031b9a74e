"""Sweeps: spec, plan of trials, Optuna's proposals, Ray Tune's execution, run directory.

    from mutransfer.sweep import Store, next_trials, read_spec

    study = read_spec("sweeps.yaml")["digits-dit"]
    store = Store("runs/digits-dit")
    next_trials(study, store.decisions(), store.table())

Public: the names in `__all__`, each imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "mutransfer.sweep":  # at the repository's root: one module under two names
    raise ImportError("import mutransfer.sweep; this folder is a part of it")

if TYPE_CHECKING:
    from mutransfer.sweep.plan.next_trials import next_trials
    from mutransfer.sweep.spec.reader import read as read_spec
    from mutransfer.sweep.store.store import Store

__all__ = ["Store", "next_trials", "read_spec"]

_NAMES = {
    "Store": ("store.store", "Store"),
    "next_trials": ("plan.next_trials", "next_trials"),
    "read_spec": ("spec.reader", "read"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _NAMES:
        module, member = _NAMES[name]
        return getattr(import_module(f"{__name__}.{module}"), member)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names too, so that a notebook completes them."""
    return sorted({*globals(), *__all__})
