"""`sweeps.yaml` as validated studies: sections, defaults, rules, and every fault with its remedy.

Public: `read`, `read_file` and `from_resolved`, which return studies, `require_name`, and `Study`.
"""

from mutransfer.sweep.spec.reader import from_resolved, read, read_file, require_name
from mutransfer.sweep.spec.study import Study

__all__ = ["Study", "from_resolved", "read", "read_file", "require_name"]
