"""One trial's row or curve as a Parquet file with a checksum in its metadata.

A row's metadata also say what it was written beside: its curve, the decisions of the run directory
and the seal of its spec. So a part, a decision or a tolerance that is edited or lost is missed.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mutransfer.analysis import table as results_table
from mutransfer.sweep.store.checksums import digest

KEY = b"mutransfer"
CURVE_SCHEMA = pa.schema(
    [
        ("trial_id", pa.string()),
        ("step", pa.int64()),
        ("train_loss", pa.float64()),
        ("val_loss", pa.float64()),
        ("lr", pa.float64()),
        ("grad_norm", pa.float64()),
    ]
)


class DamagedError(ValueError):
    """A file of the run directory is not what was written; the text says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a row was written beside.

    Attributes:
        curve: The checksum of the trial's curve; None: it has none.
        decisions: The decisions of the run directory, each with its digest.
        seal: The seal of the spec.
    """

    curve: str | None = None
    decisions: Mapping[str, str] = field(default_factory=dict)
    seal: str | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part as it was read; ``beside`` is None in a row older than checksums."""

    table: pa.Table
    beside: Beside | None

    @property
    def row(self) -> dict[str, Any]:
        """The first row as plain values."""
        row: dict[str, Any] = self.table.to_pylist()[0]
        return row


def row_bytes(row: Mapping[str, Any], beside: Beside) -> bytes:
    """The file of a trial's row."""
    schema = results_table.to_arrow_schema()
    cells = {**dict.fromkeys(schema.names), **row}
    part = pa.Table.from_pylist([cells], schema=schema)
    return _with_metadata(part, {"checksum": _checksum(part, beside), **asdict(beside)})


def curve_bytes(trial_id: str, curve: Sequence[Mapping[str, Any]]) -> bytes:
    """The file of a trial's curve."""
    points = [{**dict.fromkeys(CURVE_SCHEMA.names), **p, "trial_id": trial_id} for p in curve]
    part = pa.Table.from_pylist(points, schema=CURVE_SCHEMA)
    return _with_metadata(part, {"checksum": _checksum(part, None)})


def read_row(content: bytes, trial_id: str) -> Part:
    """The part of a trial's row. Raises DamagedError."""
    part, metadata = _read(content, trial_id)
    if part.num_rows != 1:
        raise DamagedError(f"holds {part.num_rows} rows in place of one")
    if metadata is None:
        return Part(table=part, beside=None)
    try:
        beside = Beside(**{k: v for k, v in metadata.items() if k != "checksum"})
    except TypeError:
        raise DamagedError("its checksum is damaged") from None
    _compare(metadata, _checksum(part, beside))
    return Part(table=part, beside=beside)


def read_curve(content: bytes, trial_id: str) -> tuple[pa.Table, str | None]:
    """A trial's curve and its checksum, None in one older than checksums. Raises DamagedError."""
    part, metadata = _read(content, trial_id)
    if part.schema.names != CURVE_SCHEMA.names:
        raise DamagedError("has other columns than a curve")
    if metadata is None:
        return part, None
    checksum = _checksum(part, None)
    _compare(metadata, checksum)
    return part, checksum


def _read(content: bytes, trial_id: str) -> tuple[pa.Table, dict[str, Any] | None]:
    try:
        # `pq.read_table` takes twice as long for a file of one row.
        part = pq.ParquetFile(io.BytesIO(content)).read(use_threads=False)
        part.validate(full=True)
        ids = set(part.column("trial_id").to_pylist())
        text = (part.schema.metadata or {}).get(KEY)
        metadata = None if text is None else json.loads(text)
    except Exception as error:  # damaged bytes end in errors of many kinds
        raise DamagedError(f"is no Parquet file of a trial ({type(error).__name__})") from None
    if metadata is not None and not isinstance(metadata, dict):
        raise DamagedError("its checksum is damaged")
    if ids - {trial_id}:
        raise DamagedError("holds another trial than its name says")
    return part, metadata


def _compare(metadata: Mapping[str, Any], checksum: str) -> None:
    if metadata.get("checksum") != checksum:
        raise DamagedError("its content is not what was written: the checksum differs")


def _checksum(part: pa.Table, beside: Beside | None) -> str:
    # All columns of the file, whatever the columns of this version are.
    content = [part.to_pylist(), None if beside is None else asdict(beside)]
    try:
        return digest(content)
    except (TypeError, ValueError):
        raise DamagedError("has cells of another type than was written") from None


def _with_metadata(part: pa.Table, metadata: Mapping[str, Any]) -> bytes:
    sink = io.BytesIO()
    text = json.dumps(metadata, sort_keys=True).encode()
    pq.write_table(part.replace_schema_metadata({KEY: text}), sink)
    return sink.getvalue()
