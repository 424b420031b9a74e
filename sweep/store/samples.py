"""Samples of trained models in the run directory: `samples/`, one Parquet part a trial.

Only trials of the transferred set are sampled, one seed each: they are what a user asks to see, and
sampling costs seconds.
"""

import io
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from torch import Tensor

from mutransfer.analysis.reporting.samples import Gallery, Pair
from mutransfer.proxies.training.samples import pictures
from mutransfer.proxies.training.train import Training
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.store.store import Store

FOLDER = "samples"
STAGE, SEED = "set", 1
SCHEMA = pa.schema([("text", pa.string()), ("real_png", pa.binary()), ("drawn_png", pa.binary())])
log = logging.getLogger("mutransfer")


def is_wanted(ask: TrialRequest) -> bool:
    """Whether samples of this trial are kept."""
    return ask.asked_by == STAGE and ask.config.seed == SEED


def draw(training: Training, trial_id: str, store: Store) -> None:
    """Sample a trained model and write the pairs; nothing where its data are not pictures.

    A failure is logged and no more: a picture is no result, and must not cost one.
    """
    try:
        found = pictures(training)
        if found is None:
            return
        images = zip(found.texts, found.real, found.drawn, strict=True)
        rows = [dict(zip(SCHEMA.names, (t, _png(r), _png(d)), strict=True)) for t, r, d in images]
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink)
        store.write(sink.getvalue(), FOLDER, f"{trial_id}.parquet")
    except Exception:
        log.warning("no samples of trial %s", trial_id, exc_info=True)


def gallery(table: pd.DataFrame, store: Store, axis: str = "width") -> Gallery | None:
    """Return the samples of the trial furthest on the axis, None where there are none."""
    sampled = store.names(FOLDER, ".parquet")
    rows = table[table["trial_id"].isin(sampled)].sort_values(axis, ascending=False)
    if rows.empty:
        return None
    row = rows.iloc[0]
    part = pq.read_table(io.BytesIO(store.read_bytes(FOLDER, f"{row['trial_id']}.parquet")))
    pairs = [Pair(**pair) for pair in part.to_pylist()]
    return Gallery(trial_id=row["trial_id"], width=int(row[axis]), pairs=pairs)


def _png(image_SSC: Tensor) -> bytes:
    pixels = image_SSC.numpy()
    buffer = io.BytesIO()
    Image.fromarray(np.squeeze(pixels, axis=2) if pixels.shape[2] == 1 else pixels).save(
        buffer, format="PNG"
    )
    return buffer.getvalue()
