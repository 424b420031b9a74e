"""What optuna-dashboard shows of a study."""

import json
import math
import socket
import subprocess
import sys
import time
import urllib.request

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from typer.testing import CliRunner

from mutransfer.sweep.cli import app
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers.optuna_dashboard import Journal
from tests.sweep.axis_studies import text_of
from tests.sweep.conftest import study_of
from tests.sweep.planted import row


def add(study, store, lr: float, outcome, *, stage="search", at=16, seed=0, arm="mup") -> None:
    config = trial(study, axis_value=at, arm=arm, hps={"lr": lr}, seed=seed)
    curve = [{"step": 3, "val_loss": 0.9}, {"step": 6, "val_loss": 0.5}]
    times = {
        "started_at": f"2026-01-02T03:04:{len(store.rows()):02d}+00:00",
        "finished_at": f"2026-01-02T03:05:{len(store.rows()):02d}+00:00",
    }
    more = {"diverged_step": 4} if outcome is None else {}
    more |= {"error": "OSError: lost"} if outcome == "failed" else {}
    done = isinstance(outcome, float)
    store.write_row(row(TrialRequest(config=config, asked_by=stage), outcome) | times | more,
                    curve if done else curve[:1])  # fmt: skip


@pytest.fixture
def filled(tiny, tmp_path) -> Store:
    store = Store(str(tmp_path / "tiny"))
    rundir.claim(store, tiny)
    for lr, outcome in ((2**-6, 0.5), (2**-5, None), (2**-7, "failed")):
        add(tiny, store, lr, outcome)
    add(tiny, store, 2**-11, 0.7, stage="slices", at=32, seed=1)  # beyond the search range
    return store


def studies(path) -> dict[str, optuna.Study]:
    storage = JournalStorage(JournalFileBackend(str(path)))
    names = optuna.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


def test_the_journal_holds_the_search_and_each_arm_and_width(tiny, filled):
    journal = Journal(tiny, filled)
    assert journal.add() == 4
    by_name = studies(journal.path)
    assert list(by_name) == ["tiny", "tiny: μP, width 32"]
    done, diverged, failed = by_name["tiny"].trials
    assert (done.state, done.value) == (TrialState.COMPLETE, 0.5)
    assert done.params["lr"] == 2**-6 and done.distributions["lr"].log
    assert done.intermediate_values == {3: 0.9, 6: 0.5}
    assert done.duration.total_seconds() == 60
    for trial_, status in ((diverged, "diverged"), (failed, "failed")):
        assert (trial_.state, trial_.value) == (TrialState.FAIL, None)  # it has no loss
        assert trial_.user_attrs["status"] == status
    assert diverged.user_attrs["diverged_step"] == 4
    assert failed.user_attrs["error"] == "OSError: lost"
    assert by_name["tiny"].best_value == 0.5
    wide = by_name["tiny: μP, width 32"].trials[0]
    assert wide.params["lr"] == pytest.approx(2**-11) and wide.user_attrs["seed"] == 1


def test_along_another_axis_each_of_its_values_and_arms_is_a_study(tmp_path):
    study, store = study_of(text_of("batch_size", rule=True)), Store(str(tmp_path / "axis"))
    rundir.claim(store, study)
    for batch_size, arm in ((32, "mup"), (64, "mup"), (64, "unscaled")):
        add(study, store, 2**-6, 0.5, stage="slices", at=batch_size, arm=arm)
    journal = Journal(study, store)
    assert journal.add() == 3
    assert {name.partition(": ")[2] for name in studies(journal.path)} == {
        "μP, batch size 32", "μP, batch size 64", "no rule, batch size 64",
    }  # fmt: skip


def test_new_rows_are_added_once_and_a_new_journal_holds_all_rows(tiny, filled):
    journal = Journal(tiny, filled)
    journal.add()
    add(tiny, filled, 2**-10.5, 0.4)
    assert (journal.add(), journal.add()) == (1, 0)
    assert [t.value for t in studies(journal.path)["tiny"].trials] == [0.5, None, None, 0.4]
    again = Journal(tiny, filled)
    assert again.add() == 5
    assert len(studies(again.path)["tiny"].trials) == 4


def test_the_command_writes_the_journal_and_prints_how_to_open_it(filled):
    result = CliRunner().invoke(app, ["dashboard", filled.root, "--journal-only"])
    assert result.exit_code == 0, result.output
    assert "4 trials" in result.output and "optuna-dashboard" in result.output


@pytest.mark.slow
def test_optuna_dashboard_serves_the_trials_on_localhost(filled):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from mutransfer.sweep.cli import main; main()", "dashboard"]
    command += [filled.root, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            listed = wait_for(f"http://127.0.0.1:{port}/api/studies", server)
            names = {s["study_name"]: s["study_id"] for s in listed["study_summaries"]}
            assert set(names) == {"tiny", "tiny: μP, width 32"}
            shown_study = get(f"http://127.0.0.1:{port}/api/studies/{names['tiny']}")
        finally:
            server.terminate()
    states = [trial_["state"] for trial_ in shown_study["trials"]]
    assert states == ["Complete", "Fail", "Fail"]
    assert shown_study["trials"][0]["values"] == [0.5]
    (param,) = [p for p in shown_study["trials"][0]["params"] if p["name"] == "lr"]
    assert param["distribution"]["log"] is True
    assert math.isclose(float(param["param_external_value"]), 2**-6)
    attributes = {a["key"]: a["value"] for a in shown_study["trials"][1]["user_attrs"]}
    assert "diverged" in attributes["status"]


def get(url: str):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def wait_for(url: str, server: subprocess.Popen):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return get(url)
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no answer from {url}")
