"""The run directory as files: results table, decisions, checkpoints; only `Store` writes them.

    runs/<study>/
      study.json        the resolved spec, versions, commit, history of extensions
      decisions/        one JSON file per decision, written once
      trials/           the results table, one Parquet part per trial
      curves/           training curves, one Parquet part per trial
      checkpoints/      only while a trial runs
      retried.json      failed attempts that were run again: what they cost

A part is written completely or not at all, and the first part written for a trial is kept: a
worker that is killed or started twice cannot lose, truncate or change a result.
"""

import contextlib
import io
import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from mutransfer.analysis import table as results_table
from mutransfer.sweep.errors import UserError
from mutransfer.words import STAGES

RETRIED_FILE = "retried.json"
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


class Store:
    """One run directory, on a local path or any file system that pyarrow opens (s3://, gs://)."""

    def __init__(self, location: str) -> None:
        self.location = location
        if "://" in location:
            self.fs, self.root = pafs.FileSystem.from_uri(location)
        else:
            self.fs, self.root = pafs.LocalFileSystem(), str(Path(location).absolute())
        self.local = isinstance(self.fs, pafs.LocalFileSystem)
        # A worker has another working directory, so a relative path would not do.
        self.location_on_workers = self.root if self.local else location

    def path(self, *parts: str) -> str:
        """The path of ``parts`` below the root, inside the store's file system."""
        return "/".join((self.root, *parts))

    def exists(self, *parts: str) -> bool:
        """Whether there is something at ``parts``."""
        return self.fs.get_file_info(self.path(*parts)).type != pafs.FileType.NotFound

    def read_bytes(self, *parts: str) -> bytes:
        """The content of a file. Raises FileNotFoundError."""
        with self.fs.open_input_stream(self.path(*parts)) as stream:
            return bytes(stream.read())

    def write(self, content: bytes, *parts: str, keep_first: bool = False) -> bool:
        """Write a file completely or not at all.

        Args:
            content: The bytes.
            parts: The path below the root.
            keep_first: Keep a file that exists.

        Returns:
            Whether this call wrote the file.

        Raises:
            UserError: the place cannot be written.
        """
        try:
            return self._write(content, *parts, keep_first=keep_first)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UserError:
        reason = error.strerror or " ".join(str(error).split())
        return UserError(
            f"{self.root}: cannot be written: {reason}; make it writable, or choose another place "
            "with --runs"
        )

    def _write(self, content: bytes, *parts: str, keep_first: bool) -> bool:
        target = self.path(*parts)
        self.fs.create_dir(target.rsplit("/", 1)[0], recursive=True)
        if not self.local:  # an object appears when its stream is closed
            if keep_first and self.exists(*parts):
                return False
            with self.fs.open_output_stream(target) as stream:
                stream.write(content)
            return True
        # Readers of a folder skip names that begin with a dot.
        unique = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        temporary = Path(target).with_name(f".{Path(target).name}.{unique}.tmp")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not keep_first:
            temporary.replace(target)
            return True
        try:
            os.link(temporary, target)  # fails where the file exists, which is kept
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def require_writable(self) -> None:
        """Return where files can be written. Raises UserError; long work asks before it starts."""
        self.write(b"", "writable.tmp")
        self.remove("writable.tmp")

    def remove(self, *parts: str) -> None:
        """Delete a file; nothing happens where there is none."""
        with contextlib.suppress(FileNotFoundError, OSError):
            self.fs.delete_file(self.path(*parts))

    def clear(self, folder: str) -> None:
        """Delete a folder and its contents; nothing happens where there is none."""
        if self.exists(folder):
            self.fs.delete_dir(self.path(folder))

    def names(self, folder: str, suffix: str) -> list[str]:
        """The names in ``folder`` that end with ``suffix``, without it, sorted."""
        selector = pafs.FileSelector(self.path(folder), allow_not_found=True)
        bases = [info.base_name for info in self.fs.get_file_info(selector)]
        return sorted(base.removesuffix(suffix) for base in bases if base.endswith(suffix))

    # Results -------------------------------------------------------------------------------

    def has_row(self, trial_id: str) -> bool:
        """Whether the trial has a result."""
        return self.exists("trials", f"{trial_id}.parquet")

    def write_row(self, row: Mapping[str, Any], curve: list[dict[str, Any]]) -> bool:
        """Write a trial's curve, then its row; True unless the trial has a row already."""
        trial_id = str(row["trial_id"])
        if curve:
            points = [
                {**dict.fromkeys(CURVE_SCHEMA.names), **p, "trial_id": trial_id} for p in curve
            ]
            part = pa.Table.from_pylist(points, schema=CURVE_SCHEMA)
            self.write(_parquet(part), "curves", f"{trial_id}.parquet", keep_first=True)
        schema = results_table.to_arrow_schema()
        cells = {**dict.fromkeys(schema.names), **row}
        part = pa.Table.from_pylist([cells], schema=schema)
        return self.write(_parquet(part), "trials", f"{trial_id}.parquet", keep_first=True)

    def read_row(self, trial_id: str) -> dict[str, Any]:
        """One row as plain values. Raises FileNotFoundError where there is none."""
        content = self.read_bytes("trials", f"{trial_id}.parquet")
        row: dict[str, Any] = pq.read_table(io.BytesIO(content)).to_pylist()[0]
        return row

    def table(self) -> pd.DataFrame:
        """The results table.

        Raises:
            TableError: parts of another schema.
            UserError: parts that are no Parquet files, by name.
        """
        names = self.names("trials", ".parquet")
        if not names:
            return results_table.empty()
        try:
            return results_table.read(self.path("trials"), filesystem=self.fs)
        except pa.ArrowException:
            broken = [name for name in names if not self._is_readable(name)]
            raise UserError(
                f"{self.path('trials')}: {len(broken)} parts are no Parquet files "
                f"({', '.join(broken[:3])}); delete them and `mutransfer run` again: only these "
                "trials are repeated"
            ) from None

    def _is_readable(self, trial_id: str) -> bool:
        try:
            self.read_row(trial_id)
        except (pa.ArrowException, OSError):
            return False
        return True

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows as plain values, None where a cell is empty, by trial_id."""
        table = self.table().astype(object)
        plain = table.where(table.notna(), None).to_dict("records")
        return {str(row["trial_id"]): row for row in plain}

    def curves(self) -> pd.DataFrame:
        """All training curves, one row per point."""
        if not self.names("curves", ".parquet"):
            return CURVE_SCHEMA.empty_table().to_pandas()
        curves = pq.read_table(self.path("curves"), filesystem=self.fs)
        return curves.to_pandas(ignore_metadata=True)

    def curve(self, trial_id: str) -> list[dict[str, Any]]:
        """The training curve of one trial, one dict per point; empty where it has none."""
        if not self.exists("curves", f"{trial_id}.parquet"):
            return []
        content = self.read_bytes("curves", f"{trial_id}.parquet")
        points: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
        return points

    def forget_failed(self) -> int:
        """Remove the rows of failed trials, so that these run again; returns their number.

        Their FLOPs were spent all the same, so they are kept (`retried`).
        """
        rows = self.table().query("status == 'failed'")
        earlier = self.retried()
        # A row may be there already: `run` was killed before it was removed.
        new = [attempt for attempt in map(_attempt, rows.itertuples()) if attempt not in earlier]
        if new:
            self.write(json.dumps({"attempts": earlier + new}, indent=1).encode(), RETRIED_FILE)
        failed = rows["trial_id"]
        for trial_id in failed:
            self.remove("trials", f"{trial_id}.parquet")
            self.remove("curves", f"{trial_id}.parquet")
        return len(failed)

    def retried(self) -> list[dict[str, Any]]:
        """The failed attempts whose rows were removed: trial_id, asked_by, flops, started_at."""
        if not self.exists(RETRIED_FILE):
            return []
        attempts: Any = self.read_json(RETRIED_FILE).get("attempts")
        if not isinstance(attempts, list) or not all(map(_is_attempt, attempts)):
            raise UserError(
                f"{self.path(RETRIED_FILE)}: must list failed attempts, each with a stage and its "
                "FLOPs; restore it, or delete it: what they cost is then not counted"
            )
        return attempts

    # Decisions -----------------------------------------------------------------------------

    def decide(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write a decision unless there is one of that name; returns the stored content."""
        text = json.dumps(content, indent=1, allow_nan=False).encode()
        self.write(text, "decisions", f"{name}.json", keep_first=True)
        return self.read_json("decisions", f"{name}.json")

    def decisions(self) -> dict[str, dict[str, Any]]:
        """All decisions by name."""
        names = self.names("decisions", ".json")
        return {name: self.read_json("decisions", f"{name}.json") for name in names}

    def read_json(self, *parts: str) -> dict[str, Any]:
        """A JSON file. Raises FileNotFoundError, or UserError where it is not JSON."""
        try:
            content = json.loads(self.read_bytes(*parts))
            json.dumps(content, ensure_ascii=False).encode()  # JSON can hold half a character
            if not isinstance(content, dict):
                raise ValueError("its content is no object")
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{self.path(*parts)}: is not JSON ({error}); restore it, or move the run "
                "directory away and run again"
            ) from None
        return content

    # Files of dead processes, and the lock ---------------------------------------------------

    def sweep_temporaries(self) -> None:
        """Delete the unfinished files of killed processes; call only under the lock."""
        if not self.local:
            return
        for folder in ("trials", "curves", "decisions", "checkpoints", "."):
            for name in self.names(folder, ".tmp"):
                self.remove(folder, f"{name}.tmp")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other drivers out of the run directory; freed when the process dies.

        Object stores have no lock, but there, too, the first part written for a trial is kept.

        Raises:
            UserError: another process runs this study, or the place cannot be written.
        """
        if not self.local:
            yield
            return
        import fcntl

        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            file = Path(self.path(".lock")).open("a")  # noqa: SIM115  # closed below
        except OSError as error:
            raise self._unwritable(error) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"{self.root}: another `mutransfer run` is running this study; wait for it, "
                    "stop it, or use another --runs directory"
                ) from None
            yield


def _attempt(row: Any) -> dict[str, Any]:
    """What is kept of a failed attempt, from its row as a named tuple."""
    return {
        "trial_id": row.trial_id,
        "asked_by": "unknown" if pd.isna(row.asked_by) else row.asked_by,
        "flops": 0.0 if pd.isna(row.flops) else row.flops,
        "started_at": None if pd.isna(row.started_at) else row.started_at,
    }


def _is_attempt(value: Any) -> bool:
    flops = value.get("flops") if isinstance(value, dict) else None
    is_number = isinstance(flops, int | float) and 0 <= flops < math.inf
    return is_number and value.get("asked_by") in (*STAGES, "unknown")


def _parquet(part: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(part, sink)
    return sink.getvalue()
