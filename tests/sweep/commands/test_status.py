"""The command `status`: trials by stage, the sets that were decided, why trials failed."""

import json
import re
import shutil
import sys

from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.planted import filled_run


def test_status_counts_trials_and_lists_errors(ran):
    status = json.loads(call(ran, "status", "tiny", "--json").stdout)
    assert sum(entry["n"] for entry in status["trials"]) == len(
        Store(str(ran / "runs/tiny")).table()
    )
    assert status["failed"] == []
    assert status["cost"]["n_trials"] == sum(entry["n"] for entry in status["trials"])
    assert status["flops_left"] == 0.0


def test_status_tells_the_cost_by_stage_and_of_how_much(tiny, ran, tmp_path):
    store = filled_run(tiny, tmp_path / "tiny")
    status = json.loads(call(tmp_path, "status", store.root, "--json").stdout)
    assert status["cost"]["flops"] == store.table()["flops"].sum()
    assert status["flops_left"] > status["cost"]["flops"] > 0
    text = call(tmp_path, "status", store.root).stdout
    planned = (status["cost"]["flops"] + status["flops_left"]) / status["cost"]["target_flops"]
    assert f"of {planned:.3g} target runs" in text and "tune at target" in text
    finished = re.search(r"cost: (\S+) of (\S+) target runs", call(ran, "status", "tiny").stdout)
    assert finished[1] == finished[2]


def test_a_damaged_run_directory_is_one_message(ran, tmp_path):
    shutil.copytree(ran / "runs" / "tiny", tmp_path / "broken")
    (tmp_path / "broken" / "study.json").write_text("{")
    assert call(tmp_path, "status", "./broken").returncode == 2
    shutil.copytree(ran / "runs" / "tiny", tmp_path / "torn")
    next((tmp_path / "torn" / "trials").glob("*.parquet")).write_bytes(b"PAR1")
    done = call(tmp_path, "analyze", "./torn")
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_the_error_of_a_failed_trial_and_the_decided_sets_are_printed(tiny, ran, tmp_path):
    store = filled_run(tiny, tmp_path / "tiny")
    failed = call(tmp_path, "status", store.root)
    assert failed.returncode == 0 and "OSError: lost" in failed.stdout
    assert "transferred set" not in failed.stdout  # the search has not ended
    finished = call(ran, "status", "tiny").stdout
    assert "search best: lr" in finished and "transferred set: lr" in finished
    assert "failed" not in finished


def test_the_users_own_code_is_not_run_for_what_is_left(user, tmp_path):
    study, store = user(), Store(str(tmp_path / "run"))
    rundir.claim(store, study)
    assert user.name in sys.modules  # the control: `claim` runs it
    del sys.modules[user.name]
    status = json.loads(call(tmp_path, "status", store.root, "--json").stdout)
    assert status["flops_left"] is None and status["cost"]["target_flops"] > 0
    assert user.name not in sys.modules
