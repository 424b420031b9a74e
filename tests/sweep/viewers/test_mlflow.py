"""MLflow runs in a local database."""

import math

import pytest

from mutransfer.sweep.viewers import log_writer


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow uses what SQLAlchemy deprecates
def test_mlflow_has_one_run_a_trial_even_after_an_attempt_that_was_cut_off(logged, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first = log_writer.write_new("tiny", logged, ["mlflow"])
    assert (first.written, first.faults) == ({"mlflow": 2}, {})
    logged.clear(log_writer.FOLDER)
    assert log_writer.write_new("tiny", logged, ["mlflow"]).written == {"mlflow": 2}
    client = MlflowClient(tracking_uri=f"sqlite:///{logged.path('mlflow.db')}")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    runs = {run.data.tags["status"]: run for run in client.search_runs([experiment])}
    assert len(client.search_runs([experiment])) == 2
    done = runs["done"]
    assert (done.info.status, runs["diverged"].info.status) == ("FINISHED", "FAILED")
    assert math.isclose(float(done.data.params["hp.lr"]), 2**-6)
    assert done.data.metrics["final.val_loss"] == 0.5
    history = client.get_metric_history(done.info.run_id, "train_loss")
    by_step = {m.step: m.value for m in history if m.step}
    assert by_step == {2: 0.5, 4: 0.25, 6: pytest.approx(1 / 6)}
    assert (done.info.end_time - done.info.start_time) == 60_000
