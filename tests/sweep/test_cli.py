"""The command line: exit codes, messages and files of the commands."""

import json
import shutil
import subprocess

import pytest
from ruamel.yaml import YAML

from mutransfer.sweep.run import driver
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import CLI, call
from tests.sweep.conftest import TINY, study_of, write_spec


def test_the_command_starts_as_a_process(tmp_path):
    done = subprocess.run([*CLI, "--version"], cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith("mutransfer ")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with a spec and a finished run of it."""
    folder = tmp_path_factory.mktemp("ran")
    write_spec(folder)
    store = Store(str(folder / "runs" / "tiny"))
    rundir.claim(store, study_of(TINY))
    driver.run_inline(driver.State.load(study_of(TINY), store))
    return folder


def test_help_shows_every_command_with_an_example(tmp_path):
    help_text = call(tmp_path, "--help").stdout
    for command in ("check", "plan", "run", "status", "analyze", "export"):
        assert command in help_text
        assert f"mutransfer {command}" in call(tmp_path, command, "--help").stdout


def test_faults_of_a_spec_are_one_message_and_exit_code_2(tmp_path):
    write_spec(tmp_path, TINY.replace("steps: 6", "stepz: 6").replace("family: dit", "family: x"))
    done = call(tmp_path, "check")
    assert done.returncode == 2 and done.stdout == ""
    assert "did you mean 'steps'" in done.stderr and "model.family" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--spec", "none.yaml"),
        ("run", "nope"),
        ("run", "tiny", "--spec", "."),
        ("status", "tiny"),
        ("analyze", "tiny"),
        ("export", "tiny", "--width", "128"),
        ("export", "tiny"),
        ("run", "./nowhere/at/all"),
        ("no-such-command",),
    ],
)
def test_wrong_input_is_exit_code_2_without_a_traceback(tiny_spec, words):
    done = call(tiny_spec.parent, *words)
    assert done.returncode == 2, done
    assert done.stderr.strip() and "Traceback" not in done.stderr


def test_plan_counts_trials_flops_and_the_share_of_a_target_run(tiny_spec):
    plan = json.loads(call(tiny_spec.parent, "plan", "tiny", "--json").stdout)
    by_stage = {stage["stage"]: stage["n_trials"] for stage in plan["stages"]}
    assert by_stage == {"search": 4, "slices": 3 * 2 * 3, "set": 4, "target": 6}
    assert plan["share_of_one_target_run"] == plan["flops"] / plan["target_run_flops"]
    assert plan["train_s"] > 0


def test_a_run_from_the_command_line_ends_in_all_files(tmp_path):
    write_spec(tmp_path)
    done = call(tmp_path, "run", "tiny", "--inline")
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout and "next: mutransfer analyze tiny" in done.stdout
    assert call(tmp_path, "run", "runs/tiny", "--inline").returncode == 0


def test_analyze_writes_verdict_plots_and_report(ran):
    done = call(ran, "analyze", "tiny", "--json")
    assert done.returncode in (0, 3), done.stderr
    verdict = json.loads(done.stdout)
    assert (done.returncode == 0) == (verdict["verdict"] == "PASS")
    run = ran / "runs" / "tiny"
    assert json.loads((run / "verdict.json").read_text()) == verdict
    assert "<svg" in (run / "report.html").read_text()
    names = {path.name for path in (run / "plots").iterdir()}
    assert {"loss_lr.png", "loss_lr.svg", "search.png"} <= names


def test_export_needs_force_unless_it_passes(ran):
    refused = call(ran, "export", "tiny", "--width", "1152", "-o", "a.yaml")
    assert refused.returncode == 3 and not (ran / "a.yaml").exists()
    forced = call(ran, "export", "tiny", "--width", "1152", "-o", "a.yaml", "--force")
    assert forced.returncode == 3  # a few steps of training prove nothing
    text = (ran / "a.yaml").read_text()
    assert "VERDICT" in text.splitlines()[0]
    best = YAML(typ="safe").load(text)
    assert best["width"] == 1152 and best["plan"]["width_mult"] == 72
    assert best["roles"]["hidden"]["lr"] == pytest.approx(best["hps"]["lr"] / 72, rel=1e-5)


def test_export_of_a_width_that_cannot_be_built_is_refused(ran):
    done = call(ran, "export", "tiny", "--width", "1153")
    assert done.returncode == 2 and "multiple of head_dim" in done.stderr


def test_status_counts_trials_and_lists_errors(ran):
    status = json.loads(call(ran, "status", "tiny", "--json").stdout)
    assert sum(entry["n"] for entry in status["trials"]) == len(
        Store(str(ran / "runs/tiny")).table()
    )
    assert status["failed"] == []


def test_a_run_directory_of_another_spec_is_refused(ran, tmp_path):
    write_spec(tmp_path, TINY.replace("rel_loss: 0.02", "rel_loss: 0.5"))
    done = call(tmp_path, "run", "tiny", "--runs", str(ran / "runs"))
    assert done.returncode == 2 and "target.tolerance.rel_loss" in done.stderr


def test_a_damaged_run_directory_is_one_message(ran, tmp_path):
    shutil.copytree(ran / "runs" / "tiny", tmp_path / "broken")
    (tmp_path / "broken" / "study.json").write_text("{")
    assert call(tmp_path, "status", "./broken").returncode == 2
    shutil.copytree(ran / "runs" / "tiny", tmp_path / "torn")
    next((tmp_path / "torn" / "trials").glob("*.parquet")).write_bytes(b"PAR1")
    done = call(tmp_path, "analyze", "./torn")
    assert done.returncode == 2 and "Traceback" not in done.stderr
