"""Checks of a model before a sweep: coordinate check, and invariants at initialization.

Public: `coordcheck` and `invariants`.
"""
