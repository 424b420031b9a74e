"""Which trials are written to a logger, and which faults stop it."""

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.spec import loggers
from mutransfer.sweep.store import rundir
from mutransfer.sweep.viewers import log_writer
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import row
from tests.sweep.viewers.conftest import CURVE, TIMES


def test_a_failed_trial_is_written_when_it_has_run_again(tiny, logged):
    log_writer.write_new("tiny", logged, ["tensorboard"])
    assert logged.forget_failed() == 1
    config = trial(tiny, axis_value=16, arm="mup", hps={"lr": 2**-6}, seed=3)
    logged.write_row(row(TrialRequest(config=config, asked_by="slices"), 0.4) | TIMES, CURVE)
    assert log_writer.write_new("tiny", logged, ["tensorboard"]).written == {"tensorboard": 1}


def test_an_absent_package_is_named_with_its_extra_before_anything_runs(monkeypatch):
    sink = loggers.Sink("mutransfer_no_such_package", "wandb", "mutransfer.sweep.viewers.wandb")
    monkeypatch.setitem(loggers.SINKS, "wandb", sink)
    text = TINY.rstrip() + "\n    loggers: [tensorboard, wandb]\n"
    with pytest.raises(SpecError) as error:
        study_of(text)
    assert "pip install 'mutransfer[wandb]'" in str(error.value)
    assert "studies.tiny.loggers" in str(error.value) and str(error.value).startswith("1 fault")
    with pytest.raises(UserError, match=r"mutransfer\[wandb\]"):
        log_writer.require(["wandb"])
    # A run directory is read all the same where the viewer is not installed.
    plain = study_of(text.replace(", wandb]", "]")).resolved() | {"loggers": ["wandb"]}
    assert spec.from_resolved(plain).loggers == ("wandb",)


def test_loggers_may_change_under_a_run(tiny, logged):
    text = TINY.rstrip() + "\n    loggers: [tensorboard]\n"
    assert [c.path for c in rundir.claim(logged, study_of(text))] == ["loggers"]
    assert [c.path for c in rundir.claim(logged, tiny)] == ["loggers"]
