"""The run directory: rows, decisions, checkpoints and samples, each written once.

Public: `store.Store` and `rundir.find`.
"""
