"""MLflow runs: one a trial, in an experiment of the study's name.

They go to MLFLOW_TRACKING_URI, or to `mlflow.db` in the run directory:
`mlflow ui --backend-store-uri sqlite:///RUNS/STUDY/mlflow.db`.
"""

import logging
import os
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers.follow import Trial

TAG = "mutransfer.trial_id"
ENDS = {"done": "FINISHED", "diverged": "FAILED", "pruned": "KILLED"}
BATCH = 1000  # metrics that one request may hold


def writer(study: str, store: Store) -> "MLflow":
    """The writer of a study.

    Raises:
        UserError: the run directory is not local and no MLFLOW_TRACKING_URI is set.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None and not store.local:
        raise UserError(f"{store.location}: is no local path: set MLFLOW_TRACKING_URI")
    return MLflow(study, uri or f"sqlite:///{store.path('mlflow.db')}", store)


class MLflow:
    """Writes runs that are tagged with their trial; one that was cut off is written anew."""

    def __init__(self, study: str, uri: str, store: Store) -> None:
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(study)
        artifacts = f"file://{store.path('mlflow')}" if store.local else None
        self._experiment: str = (
            known.experiment_id if known else self._client.create_experiment(study, artifacts)
        )

    def write(self, trial: Trial) -> None:
        """Write the trial's run."""
        client, trial_id = self._client, str(trial.row["trial_id"])
        same = f"tags.`{TAG}` = '{trial_id}'"
        for run in client.search_runs([self._experiment], filter_string=same):
            client.delete_run(run.info.run_id)
        points = list(trial.points())
        start_s, end_s = trial.times
        tags = {TAG: trial_id, "stage": trial.stage, "status": trial.outcome["status"]}
        info = client.create_run(
            self._experiment, start_time=_ms(start_s), tags=tags, run_name=trial.name
        ).info
        metrics = [
            Metric(n, v, _ms(t), step) for step, t, values in points for n, v in values.items()
        ]
        metrics += [
            Metric(f"final.{n}", float(v), _ms(end_s), 0)
            for n, v in trial.outcome.items()
            if not isinstance(v, str)
        ]
        params = [Param(name, str(value)[:500]) for name, value in trial.config.items()]
        client.log_batch(info.run_id, params=params)
        for chunk in _chunks(metrics):
            client.log_batch(info.run_id, metrics=chunk)
        client.set_terminated(info.run_id, ENDS[trial.outcome["status"]], _ms(end_s))


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _chunks(metrics: list[Any]) -> list[list[Any]]:
    return [metrics[i : i + BATCH] for i in range(0, len(metrics), BATCH)]
