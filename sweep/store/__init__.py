"""The run directory: rows, decisions, checkpoints and samples, each written once.

Public: `Store`, and in `rundir` what finds and claims a run directory.
"""

from mutransfer.sweep.store.store import Store

__all__ = ["Store"]
