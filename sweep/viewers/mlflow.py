"""MLflow runs: one per trial, in an experiment with the study's name.

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
from mutransfer.sweep.viewers.finished_trial import FinishedTrial

TAG = "mutransfer.trial_id"
RUN_STATUS = {"done": "FINISHED", "diverged": "FAILED", "pruned": "KILLED"}
BATCH = 1000  # the most metrics in one request


def writer(study: str, store: Store) -> "MLflow":
    """The writer of a study.

    Raises:
        UserError: the run directory is not local and MLFLOW_TRACKING_URI is not set.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None and not store.local:
        raise UserError(
            f"{store.location}: MLflow needs a local run directory or a server; set "
            "MLFLOW_TRACKING_URI"
        )
    return MLflow(study, uri or f"sqlite:///{store.own_path('mlflow.db')}", store)


class MLflow:
    """Writes runs that are tagged with their trial; an incomplete one is written again."""

    def __init__(self, study: str, uri: str, store: Store) -> None:
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=uri)
        experiment = self._client.get_experiment_by_name(study)
        artifacts = f"file://{store.own_path('mlflow')}" if store.local else None
        self._experiment: str = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(study, artifacts)
        )

    def write(self, trial: FinishedTrial) -> None:
        """Write the trial's run, replacing one that an earlier attempt wrote."""
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
        client.set_terminated(info.run_id, RUN_STATUS[trial.outcome["status"]], _ms(end_s))


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _chunks(metrics: list[Any]) -> list[list[Any]]:
    return [metrics[i : i + BATCH] for i in range(0, len(metrics), BATCH)]
