"""A run directory may be a stranger's: no command executes or imports what one names.

The run directory is real: a study of the user's own model, data and trainer. As a stranger's, its
modules are replaced by ones that leave a marker when they are imported or started.
"""

import pickle
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.environments import FOLDERS, ROOT
from tests.sweep.command_line import CLI, call
from tests.sweep.custom_model import MODULE, SPEC
from tests.sweep.edited import edit, edit_badly, make_old

NAME = "strangers_code"
COORDCHECK = "    coordcheck: {gate: skip}\n"
FUNCTION = f"    trial: '{NAME}_trainer:run'\n"
COMMAND = f"    trial: {{command: '{sys.executable} {NAME}_program.py {{config_json}}'}}\n"
TRAIN = """
from strangers_code import Data, build, loss
import torch
from mutransfer.proxies import mup


def run(trial):
    torch.manual_seed(trial.seed)
    model, data = build(trial.width), Data()
    mup.init_(model, trial.plan)
    optimizer = torch.optim.AdamW(mup.param_groups(model, trial.plan, lr=trial.hps["lr"]))
    validation = data.validation()
    val_loss = lambda: loss(model, validation, torch.Generator()).mean().item()
    yield {"step": 0, "val_loss": val_loss()}
    for step in range(trial.steps):
        loss(model, data.batch(0, step, 16), torch.Generator()).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    yield {"step": trial.steps, "train_loss": 1.0, "val_loss": val_loss()}
"""
PROGRAM = """
import json, sys
trial = json.load(open(sys.argv[1]))
with open(trial["progress_file"], "a") as file:
    for step, loss in ((0, 2.0), (trial["steps"], abs(trial["hps"]["lr"] - 0.01) + 1)):
        file.write(json.dumps({"step": step, "train_loss": loss, "val_loss": loss}) + "\\n")
"""
KINDS = {"model and data": "", "trainer": FUNCTION, "program": COMMAND}
# Every command that reads a run directory, and the codes that it may end with.
READING = {
    "plan": (["plan", "--no-power"], (0,)),
    "plan --json": (["plan", "--no-power", "--json"], (0,)),
    "status": (["status"], (0,)),
    "roles": (["roles"], (0,)),
    "doctor": (["doctor"], (0,)),
    "doctor --repair": (["doctor", "--repair"], (0,)),
    "analyze": (["analyze"], (0, 3)),
    "analyze --tables": (["analyze", "--tables"], (0, 3)),
    "export": (["export", "--width", "256", "--force", "-o", "best.yaml"], (0, 3)),
    "log": (["log", "--to", "tensorboard"], (0,)),
    "dashboard": (["dashboard", "--journal-only"], (0,)),
}
TRAINING = {
    "run": ["run", "--inline"],
    "run --retry-failed": ["run", "--retry-failed"],
    "run --settle": ["run", "--settle"],
    "coordcheck": ["coordcheck"],
}


FIRST, *OTHERS = KINDS


@pytest.fixture(
    scope="module",
    params=[FIRST, *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)],
)
def origin(request, tmp_path_factory) -> Path:
    """A folder with a spec, its code, and a finished run; run by another process."""
    folder = tmp_path_factory.mktemp("origin")
    (folder / f"{NAME}.py").write_text(MODULE)
    (folder / f"{NAME}_trainer.py").write_text(TRAIN)
    (folder / f"{NAME}_program.py").write_text(PROGRAM)
    text = SPEC.replace("NAME", NAME) + KINDS[request.param] + COORDCHECK
    (folder / "sweeps.yaml").write_text(text)
    words = [*CLI, "run", "own", "--inline"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def stranger(origin, tmp_path) -> Path:
    """The run directory with its code, which leaves a marker; no spec."""
    for path in origin.glob("*.py"):
        (tmp_path / path.name).write_text(f"open({str(marker(tmp_path))!r}, 'w').close()\nraise 1")
    shutil.copytree(origin / "runs", tmp_path / "runs")
    file = tmp_path / "runs/own/study.json"
    edit(file, lambda content: content["spec"].update(imports=[str(tmp_path)]))
    return tmp_path


def marker(folder: Path) -> Path:
    return folder / "executed"


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_a_run_directory_executes_nothing_of_it(stranger, command):
    (word, *options), codes = READING[command]
    path = list(sys.path)
    done = call(stranger, word, "runs/own", *options)
    assert done.returncode in codes, done.stderr
    assert not marker(stranger).exists() and sys.path == path
    assert "Traceback" not in done.stderr and NAME not in done.stderr


@pytest.mark.parametrize("command", TRAINING)
def test_a_command_that_trains_refuses_a_run_directory_that_names_code(stranger, command):
    word, *options = TRAINING[command]
    done = call(stranger, word, "runs/own", *options)
    assert done.returncode == 2 and "may be a stranger's" in done.stderr, done.stderr
    assert "--spec" in done.stderr and NAME in done.stderr
    assert not marker(stranger).exists()


def test_the_control_a_spec_that_names_the_code_executes_it(origin, stranger):
    """The same code in the same folder, named by a spec: a new process, as for a user."""
    shutil.copy(origin / "sweeps.yaml", stranger)
    words = [*CLI, "run", "own", "--inline", "--retry-failed", "--runs", "other"]
    done = subprocess.run(words, cwd=stranger, capture_output=True, text=True)
    assert marker(stranger).exists(), done.stderr


def test_code_of_the_standard_library_is_code_too(stranger):
    """`subprocess.check_output` is callable and importable everywhere, and starts a program."""
    file = stranger / "runs/own/study.json"
    args = {"args": ["touch", str(marker(stranger))]}
    data = {"build": "subprocess:check_output", "args": args}
    edit(file, lambda content: content["spec"]["data"].update(data))
    edit(file, lambda content: content["spec"]["model"].update(build="os:system"))
    for (word, *options), codes in READING.values():
        done = call(stranger, word, "runs/own", *options)
        assert done.returncode in codes and "Traceback" not in done.stderr, done.stderr
    for word, *options in TRAINING.values():
        assert call(stranger, word, "runs/own", *options).returncode == 2
    assert not marker(stranger).exists()


def test_an_older_run_directory_is_read_with_a_sentence_for_what_it_lacks(stranger):
    file = stranger / "runs/own/study.json"
    make_old(file.parent)
    edit_badly(file, lambda content: content.pop("recorded"))
    for word in ("status", "log", "dashboard", "analyze"):
        options = READING[word][0][1:]
        done = call(stranger, word, "runs/own", *options)
        assert done.returncode in (0, 3) and "Traceback" not in done.stderr, done.stderr
    assert "What is missing is unknown" in done.stdout and "no such record" in done.stdout
    for word in ("plan", "roles", "export"):
        done = call(stranger, word, "runs/own", *READING[word][0][1:])
        assert done.returncode == 2 and "got no such record" in done.stderr
    assert not marker(stranger).exists()


PICKLES = re.compile(
    r"\bpickle\.loads?\(|\bnp\.load\((?!.*allow_pickle=False)|\btorch\.load\((?!.*weights_only=True)"
    r"|\beval\((?!\))|\bexec\(|read_pickle|joblib|enable_unsafe|PyExtensionType"
)


def test_no_file_is_read_in_a_form_that_can_hold_code():
    for line in ("torch.load(file)", "np.load(p, mmap_mode='r')", "pickle.load(f)"):
        assert PICKLES.search(line)  # the controls
    assert not PICKLES.search("torch.load(file, weights_only=True)")
    files = [path for top in FOLDERS for path in (ROOT / top).rglob("*.py")]
    assert [str(path) for path in files if PICKLES.search(path.read_text())] == []


class Payload:
    """Its pickle, when it is read, leaves a marker."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_metadata_of_parquet_parts_are_data(stranger, tmp_path):
    """Old pyarrow unpickled the type of a column from its metadata (CVE-2023-47248)."""
    pickled = pickle.dumps(Payload(marker(stranger)))
    pickle.loads(pickled).close()  # the control
    marker(stranger).unlink()
    hostile = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickled,
    }
    for folder in ("trials", "curves"):
        for path in (stranger / "runs/own" / folder).glob("*.parquet"):
            part = pq.read_table(path)
            fields = [field.with_metadata(hostile) for field in part.schema]
            schema = pa.schema(fields, metadata={b"pandas": b'{"attrs": {"a": 1}, "columns": 3}'})
            pq.write_table(part.cast(schema), path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyarrow warns that it did not unpickle
        for word in ("analyze", "status", "log", "dashboard"):
            done = call(stranger, word, "runs/own", *READING[word][0][1:])
            assert "Traceback" not in done.stderr
    assert not marker(stranger).exists()


def test_user_code_has_one_gate_that_a_spec_opens_alone():
    """Names in code are constants elsewhere; programs are started where they are listed here."""
    wanted = {
        r"user_code\.allow\(": {"reader.py", "ray_actor.py"},
        r"\bimport_module\((?!\")": {"user_code.py", "log_writer.py", "__init__.py"},
        r"__import__|run_path|run_module|exec_module|os\.system": set(),
        r"subprocess\.(Popen|run|call|check)|os\.(exec|spawn)": {
            "dashboard.py", "follow.py", "provenance.py", "supervise.py", "user_trainer.py",
        },
    }  # fmt: skip
    sources = [path for top in FOLDERS for path in (ROOT / top).rglob("*.py")]
    for pattern, names in wanted.items():
        found = {path.name for path in sources if re.search(pattern, path.read_text())}
        assert found == names, pattern
