"""The user's own trainer, a function or a program: its points become a row and its end a status."""

import json
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from mutransfer.proxies import user_code
from mutransfer.proxies.config.trial import TrainerConfig
from mutransfer.proxies.training.flops import step_flops
from mutransfer.proxies.training.identity import identity
from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import worker
from mutransfer.sweep.spec.yaml_file import parse
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, study_of
from tests.sweep.run.test_supervise import CHILD, is_gone

EXAMPLE = Path(__file__).parents[3] / "examples/custom/sweeps.yaml"
PROGRAM = """
import json, sys, time
trial = json.load(open(sys.argv[1]))
def say(**point):
    with open(trial["progress_file"], "a") as file:
        file.write(json.dumps(point) + "\\n")
say(step=0, val_loss=2.0)
"""


def row_of(tmp_path, code: str, silence_s: float = 30.0):
    """The row and the store of a trial whose program ends with ``code``."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + textwrap.dedent(code))
    command = f"{sys.executable} {program} {{config_json}}"
    config = trial(study_of(TINY), axis_value=32, arm="mup", hps={"lr": 0.01}, seed=1)
    trainer = TrainerConfig(command=command, silence_s=silence_s)
    user_code.allow([command])
    object.__setattr__(config, "trainer", trainer)
    request, store = TrialRequest(config=config, asked_by="search"), Store(str(tmp_path / "run"))
    for _ in worker.run(request, "tiny", store, checkpoint_every_s=30):
        pass
    assert not store.names("checkpoints", "")
    return store.read_row(request.trial_id), store


def test_a_programs_points_become_row_and_curve(tmp_path):
    row, store = row_of(
        tmp_path,
        """
        assert trial["width"] == 32 and trial["steps"] == 6 and trial["hps"]["lr"] == 0.01
        assert trial["plan"]["width_mult"] == 2 and trial["checkpoint_dir"]
        say(step=3, train_loss=1.5)
        say(step=6, train_loss=1.2, val_loss=1.0)
        """,
    )
    assert (row["status"], row["val_loss"], row["train_loss"]) == ("done", 1.0, 1.2)
    assert row["init_val_loss"] == 2.0 and row["flops"] > 0 and row["train_s"] > 0
    assert store.curves()["step"].tolist() == [0, 3, 6]


def test_what_the_spec_says_is_handed_over_and_what_the_trainer_says_is_kept(tmp_path):
    row, _ = row_of(
        tmp_path,
        """
        assert trial["optimizer"] == {"name": "adamw", "betas": [0.9, 0.999], "eps": 1e-12}
        assert trial["schedule"]["schedule"] == "constant" and trial["schedule"]["steps"] == 6
        assert trial["precision"] == "fp32" and trial["ema_frac"] is None
        assert trial["objective"]["kind"] == "rectified_flow"
        say(step=3, settings={"optimizer": {"name": "lion"}, "precision": "bf16"})
        say(step=6, val_loss=1.0, settings={"precision": "bf16", "schedule": "wsd"})
        """,
    )
    assert row["status"] == "done", row["error"]
    said = {"optimizer": {"name": "lion"}, "precision": "bf16", "schedule": "wsd"}
    assert json.loads(row["settings"]) == said and row["precision"] == "bf16"


def test_what_a_trainer_does_not_say_is_not_taken_from_the_spec(tmp_path):
    row, _ = row_of(tmp_path, "say(step=6, val_loss=1.0)")
    assert row["status"] == "done" and row["settings"] is None and row["precision"] is None


SETTINGS = {
    "unknown": ("{'lr': 1.0}", "got ['lr']"),
    "no mapping": ("['adamw']", "got list"),
    "two values": ("{'loss': 'b'}", "one value in a trial"),
    "too long": ("{'optimizer': 'x' * 10000}", "at most 10000"),
    "not finite": ("{'optimizer': {'eps': float('nan')}}", "JSON data with finite"),
}


@pytest.mark.parametrize(("settings", "text"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_cannot_be_kept_are_refused(tmp_path, settings, text):
    code = f"say(step=1, settings={{'loss': 'a'}})\nsay(step=6, val_loss=1.0, settings={settings})"
    row, _ = row_of(tmp_path, code)
    assert row["status"] == "failed" and text in row["error"]


ENDS = {
    "exit code": ("sys.exit('no memory left')", "failed", "exit code 1: no memory left"),
    "last lines": ("raise MemoryError('no room')", "failed", "MemoryError: no room"),
    "exit without an error": ("sys.exit(3)", "failed", "exit code 3"),
    "killed": (
        "import os, signal\nsay(step=3, val_loss=1.0)\nos.kill(os.getpid(), signal.SIGKILL)",
        "failed", "ended by SIGKILL",
    ),
    "silence": ("time.sleep(60)", "failed", "silent for 1 s"),
    "no last point": ("say(step=3, val_loss=1.0)", "failed", "got step 3"),
    "no validation loss": ("say(step=6, train_loss=1.0)", "failed", "val_loss None"),
    "no JSON": ("open(trial['progress_file'], 'a').write('hello\\n')", "failed", "JSON object"),
    "no number": ("say(step=6, val_loss='low')", "failed", "a number or null"),
    "a step that is a truth value": ("say(step=True, val_loss=1.0)", "failed", "got True"),
    "a loss that is a truth value": ("say(step=6, val_loss=True)", "failed", "a number or null"),
    "a line without end": (
        "open(trial['progress_file'], 'a').write('x' * 3_000_000)", "failed", "characters",
    ),
    "not finite": ("say(step=4, train_loss=float('nan'))\ntime.sleep(60)", "diverged", None),
    "not below its start": ("say(step=6, val_loss=2.5)", "diverged", None),
}  # fmt: skip


@pytest.mark.parametrize(("code", "status", "text"), ENDS.values(), ids=ENDS)
def test_every_end_of_a_program_is_a_status(tmp_path, code, status, text):
    row, _ = row_of(tmp_path, code, silence_s=1.0)
    assert row["status"] == status and row["val_loss"] is None
    assert text is None or text in row["error"]
    if status == "diverged":
        assert row["diverged_step"] in (4, 6)


def test_a_last_line_without_its_newline_counts(tmp_path):
    code = """
    with open(trial["progress_file"], "a") as file:
        file.write(json.dumps({"step": 6, "val_loss": 1.0}))
    """
    assert row_of(tmp_path, code)[0]["val_loss"] == 1.0


LOUD = """
import os
for _ in range(300):
    os.write(1, b"x" * 1_000_000)
    os.write(2, b"y\\n" * 10)
print("the last words", flush=True)
sys.exit(1)
"""


def test_much_output_fills_neither_memory_nor_disk_and_its_end_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # so that sizes can be read
    row, _ = row_of(tmp_path, LOUD)
    assert "the last words" in row["error"] and len(row["error"]) < 1000
    assert max(path.stat().st_size for path in tmp_path.rglob("*")) < 1_000_000


ORPHAN = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"],
                         start_new_session=True, stdout=DEVNULL, stderr=DEVNULL)
open(trial["checkpoint_dir"] + "/../../../child.pid", "w").write(str(child.pid))
say(step=6, val_loss=1.0)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("output", ["subprocess.DEVNULL", "None"])
def test_a_process_that_outlives_its_program_is_ended_with_it(tmp_path, output):
    row, _ = row_of(tmp_path, ORPHAN.replace("DEVNULL", output))
    assert row["status"] == "done", row["error"]
    assert is_gone(int((tmp_path / "child.pid").read_text()))


@pytest.mark.parametrize("end", ["killed", "no last point", "exit code"])
def test_a_program_that_fails_costs_the_steps_that_it_reported(tmp_path, end):
    row, _ = row_of(tmp_path, ENDS[end][0])
    config = trial(study_of(TINY), axis_value=32, arm="mup", hps={"lr": 0.01}, seed=1)
    assert row["flops"] == (0 if end == "exit code" else 3) * step_flops(config)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_the_processes_of_a_silent_program_end_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        shutil, "rmtree", lambda *_, **__: None
    )  # so that the process id can be read
    row, _ = row_of(tmp_path, CHILD, silence_s=1.0)
    assert "silent" in row["error"]
    (pid_file,) = tmp_path.rglob("*.pid")
    assert is_gone(int(pid_file.read_text()))


def test_a_program_that_cannot_be_started_fails_by_name(tmp_path):
    config = trial(study_of(TINY), axis_value=32, arm="mup", hps={"lr": 0.01}, seed=1)
    object.__setattr__(config, "trainer", TrainerConfig(command="no-such-program {config_json}"))
    user_code.allow([config.trainer.command])
    request, store = TrialRequest(config=config, asked_by="search"), Store(str(tmp_path / "run"))
    list(worker.run(request, "tiny", store, checkpoint_every_s=30))
    assert "no-such-program: cannot be started" in store.read_row(request.trial_id)["error"]


def test_the_trainer_is_part_of_a_trials_identity_and_silence_s_is_not():
    config = trial(study_of(TINY), axis_value=32, arm="mup", hps={"lr": 0.01}, seed=1)
    names = []
    for trainer in (None, ("a {config_json}", 1.0), ("a {config_json}", 2.0), ("b", 1.0)):
        chosen = trainer and TrainerConfig(command=trainer[0], silence_s=trainer[1])
        object.__setattr__(config, "trainer", chosen)
        names.append(identity(config))
    assert names[1] == names[2] and len(set(names)) == 3


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("trial: 'no_such_module:run'", "no_such_module"),
        ("trial: {command: 'train.py'}", "config_json"),
        ("trial: {run: 'a:b', command: 'c'}", "either a function or a command"),
    ],
)
def test_a_wrong_trainer_is_refused(line, text):
    with pytest.raises(SpecError, match=text):
        spec.read_file(parse(TINY + f"    {line}\n", "sweeps.yaml"))


def test_a_study_of_the_users_function_runs_to_its_export(tmp_path):
    where = ("--spec", str(EXAMPLE), "--runs", str(tmp_path))
    done = call(tmp_path, "run", "function", "--inline", *where)
    assert done.returncode == 0, done.stderr
    table = Store(str(tmp_path / "function")).table()
    assert set(table["status"]) == {"done"}, table["error"].tolist()
    again = call(tmp_path, "run", "function", "--inline", *where)
    assert again.returncode == 0 and len(Store(str(tmp_path / "function")).table()) == len(table)


def test_the_program_trains_sharded_over_two_processes_as_the_function_does(tmp_path):
    rows = {}
    for name in ("function", "program"):
        study = spec.read(EXAMPLE, (name,))[name]
        config = trial(study, axis_value=64, arm="mup", hps={"lr": 2**-7}, seed=1)
        request, store = TrialRequest(config=config, asked_by="search"), Store(str(tmp_path / name))
        for _ in worker.run(request, name, store, checkpoint_every_s=30):
            pass
        rows[name] = store.read_row(request.trial_id)
    assert rows["program"]["status"] == "done", rows["program"]["error"]
    expected = pytest.approx(rows["function"]["val_loss"], rel=1e-4)
    assert rows["program"]["val_loss"] == expected
