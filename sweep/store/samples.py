"""Samples of trained models in the run directory: `samples/`, one Parquet part per trial.

Only trials of the transferred set are sampled, one seed each, as sampling takes seconds.
"""

import io
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from torch import Tensor

from mutransfer.analysis.reporting.samples import Gallery, SamplePair
from mutransfer.proxies.training.samples import sample_pairs
from mutransfer.proxies.training.train import Training
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.store.store import Store
from mutransfer.words import Axis, Stage

FOLDER = "samples"
STAGE: Stage = "set"
SEED = 1
SCHEMA = pa.schema([("text", pa.string()), ("real_png", pa.binary()), ("drawn_png", pa.binary())])
log = logging.getLogger("mutransfer")


def is_wanted(request: TrialRequest) -> bool:
    """Whether samples of this trial are kept."""
    return request.asked_by == STAGE and request.config.seed == SEED


def draw(training: Training, trial_id: str, store: Store) -> None:
    """Sample a trained model and write the pairs; nothing where its data are not images.

    A failure is only logged: samples are no result, and must not cost the trial's.
    """
    try:
        samples = sample_pairs(training)
        if samples is None:
            return
        images = zip(samples.texts, samples.real, samples.drawn, strict=True)
        rows = [dict(zip(SCHEMA.names, (t, _png(r), _png(d)), strict=True)) for t, r, d in images]
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink)
        store.write(sink.getvalue(), FOLDER, f"{trial_id}.parquet")
    except Exception:
        log.warning("no samples of trial %s", trial_id, exc_info=True)


def gallery(table: pd.DataFrame, store: Store, axis: Axis = "width") -> Gallery | None:
    """The samples of the trial with the largest axis value; None where there are none."""
    trial_ids = store.names(FOLDER, ".parquet")
    rows = table[table["trial_id"].isin(trial_ids)].sort_values(axis, ascending=False)
    if rows.empty:
        return None
    row = rows.iloc[0]
    try:
        part = pq.read_table(io.BytesIO(store.read_bytes(FOLDER, f"{row['trial_id']}.parquet")))
        pairs = [SamplePair(**pair) for pair in part.cast(SCHEMA).to_pylist()]
    except (pa.ArrowException, OSError, UserError):  # damaged: no verdict rests on them
        return None
    return Gallery(trial_id=row["trial_id"], axis_value=int(row[axis]), pairs=pairs)


def _png(image_SSC: Tensor) -> bytes:
    pixels = image_SSC.numpy()
    grey_or_colour = np.squeeze(pixels, axis=2) if pixels.shape[2] == 1 else pixels
    buffer = io.BytesIO()
    Image.fromarray(grey_or_colour).save(buffer, format="PNG")
    return buffer.getvalue()
