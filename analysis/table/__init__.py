"""The results table: columns, validation, reading, slices, and tables from elsewhere.

Public: the names in `__all__`, `slice.slice_of` and `external.read_table`.
"""

from mutransfer.analysis.table.schema import COLUMNS, HP_PREFIX, SCHEMA_VERSION, markdown
from mutransfer.analysis.table.table import (
    empty,
    from_rows,
    read,
    rows_of_arm,
    same,
    to_arrow_schema,
    validate,
)

__all__ = [
    "COLUMNS",
    "HP_PREFIX",
    "SCHEMA_VERSION",
    "empty",
    "from_rows",
    "markdown",
    "read",
    "rows_of_arm",
    "same",
    "to_arrow_schema",
    "validate",
]
