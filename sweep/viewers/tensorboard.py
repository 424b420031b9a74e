"""TensorBoard event files: `tensorboard/<stage>/<trial>/`, one file per trial.

`tensorboard --logdir RUNS` shows every study; the HParams tab shows the HPs.
"""

import tempfile
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.summary import hparams, scalar

from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers.finished_trial import FinishedTrial

FOLDER = "tensorboard"


def writer(study: str, store: Store) -> "TensorBoard":
    """The writer of a study."""
    return TensorBoard(store)


class TensorBoard:
    """Writes each file at once, so an interrupted attempt leaves no file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, trial: FinishedTrial) -> None:
        """Write the trial's file; a second attempt writes the same content."""
        with tempfile.TemporaryDirectory() as folder:
            events = EventsWriter(f"{folder}/events")
            for step, wall_time, summary in _summaries(trial):
                events.write_event(Event(step=step, wall_time=wall_time, summary=summary))
            events.close()
            (path,) = Path(folder).iterdir()
            content = path.read_bytes()
        name = f"events.out.tfevents.{trial.row['trial_id']}"
        self._store.write(content, FOLDER, trial.stage, trial.name, name)


def _summaries(trial: FinishedTrial) -> list[tuple[int, float, Summary]]:
    points = list(trial.points())
    curve = [(s, t, scalar(n, v)) for s, t, values in points for n, v in values.items()]
    step, wall_time = (points[-1][0], points[-1][1]) if points else (0, 0.0)
    plain = {n: v for n, v in trial.config.items() if isinstance(v, bool | int | float | str)}
    outcome = trial.outcome
    metrics = {f"final/{n}": v for n, v in outcome.items() if not isinstance(v, str)}
    plain["status"] = outcome["status"]
    about = [(0, wall_time, summary) for summary in hparams(plain, metrics)]
    return [*about, *curve, *((step, wall_time, scalar(n, v)) for n, v in metrics.items())]
