"""Runs a dense sweep by the project's own worker, a trial at a time, and packs its results.

Parts are kept as in any run directory, so that a sweep that is stopped goes on where it was.
"""

import json
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.dense.designs import Design

from mutransfer.sweep.run import worker
from mutransfer.sweep.store.provenance import commit
from mutransfer.sweep.store.store import Store

COLUMNS = ("family", "width", "steps", "hp.lr", "seed", "status", "val_loss")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The trials that have a result, of all; seconds since the start of this process's part."""

    done: int
    of: int
    seconds: float


def run(design: Design, store: Store) -> Iterator[Progress]:
    """Run every trial that has no result; one that failed runs again.

    Raises:
        UserError: another process runs this sweep.
    """
    study = design.read_study()
    with store.lock():
        store.forget_failed()
        requests = list(design.requests(study))
        missing = [request for request in requests if not store.has_row(request.trial_id)]
        started = time.monotonic()
        for n, request in enumerate(missing, start=len(requests) - len(missing) + 1):
            for _ in worker.run(request, design.study, store, checkpoint_every_s=math.inf):
                pass
            yield Progress(done=n, of=len(requests), seconds=time.monotonic() - started)


def pack(design: Design, store: Store, path: Path) -> int:
    """Write the sweep as one Parquet, metadata included; returns its number of trials.

    Raises:
        ValueError: trials of the design failed or have no result.
    """
    wanted = {request.trial_id for request in design.requests(design.read_study())}
    rows = store.table().query("trial_id in @wanted and status in ('done', 'diverged')")
    if len(rows) < len(wanted):
        raise ValueError(
            f"{store.location}: {len(wanted)} trials with a result; got {len(rows)}; the others "
            "failed or have not run; run the same command again"
        )
    rows = rows.sort_values(["width", "hp.lr", "seed"])
    table = pa.Table.from_pandas(rows[list(COLUMNS)], preserve_index=False)
    metadata = {
        "study": design.study,
        "hps": json.dumps(dict(design.hps)),
        "commit": str(commit()),
        "versions": rows["versions"].iloc[0],
        "machine": f"{platform.machine()}, torch on one thread",
        "minutes": f"{rows['train_s'].sum() / 60:.0f}",
        "trivial_val_loss": repr(float(rows["trivial_val_loss"].iloc[0])),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")
    return len(rows)
