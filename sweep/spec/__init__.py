"""`sweeps.yaml`: reading, defaults, rules, and every fault with its line and its remedy.

Public: `read`, `read_file` and `from_resolved`, which return studies.
"""

from mutransfer.sweep.spec.study import from_resolved, read, read_file

__all__ = ["from_resolved", "read", "read_file"]
