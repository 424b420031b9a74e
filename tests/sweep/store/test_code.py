"""One table holds one code of the user's: another is told before anything runs."""

import dataclasses
import json

import pytest

from mutransfer.proxies import user_code
from mutransfer.proxies.training.identity import RESULT_SCHEMA
from mutransfer.sweep import spec
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import code, rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.custom_model import MODULE
from tests.sweep.edited import edit_badly, make_old
from tests.sweep.planted import played_run


@pytest.fixture
def own(user):
    """A finished study of the user's own model, with a planted law."""
    study = user()
    played_run(study, user.folder / "runs/own")
    return user


def change(own, text: str = "\n# a comment\n"):
    """Change the user's module; as another process sees it."""
    (own.folder / f"{own.name}.py").write_text(MODULE + text)
    user_code.source_digest.cache_clear()
    return spec.read(own.folder / "sweeps.yaml", ("own",))["own"]


def run(own, *words: str):
    user_code.source_digest.cache_clear()
    return call(own.folder, "run", "own", "--inline", "--no-coordcheck", *words)


def test_another_code_is_told_before_anything_runs_and_restoring_it_helps(own):
    n = len(Store(str(own.folder / "runs/own")).trial_ids())
    change(own)
    done = run(own)
    assert done.returncode == 2 and f"changed: {own.name}.py" in done.stderr, done.stderr
    assert "--same-code" in done.stderr and "--runs" in done.stderr
    assert len(Store(str(own.folder / "runs/own")).trial_ids()) == n
    change(own, "")
    assert run(own).returncode == 0
    assert len(Store(str(own.folder / "runs/own")).trial_ids()) == n


def test_the_same_code_by_declaration_keeps_every_row(own):
    store = Store(str(own.folder / "runs/own"))
    n = len(store.trial_ids())
    change(own)
    done = run(own, "--same-code")
    assert done.returncode == 0, done.stderr
    assert len(store.trial_ids()) == n and "declared the same" in done.stdout
    assert run(own).returncode == 0, "declared once"
    change(own, "")
    assert run(own).returncode == 0, "and so is the code it began with"
    change(own, "\n# another\n")
    assert run(own).returncode == 2
    history = json.loads((own.folder / "runs/own/study.json").read_text())["history"]
    assert len(history) == 1
    assert call(own.folder, "analyze", "own").returncode in (0, 3)


def test_a_claim_refuses_another_code_too(own):
    study = change(own)
    with pytest.raises(UserError, match="another code"):
        rundir.claim(Store(str(own.folder / "runs/own")), study)


def test_the_program_of_a_trainer_is_code(own, tmp_path):
    program = tmp_path / "train.py"
    program.write_text("pass")
    files = user_code.source_files((), f"python {program} {{config_json}}")
    assert list(files) == ["train.py"]
    program.write_text("pass  # more")
    assert user_code.source_files((), f"python {program} {{config_json}}") != files


def mixed(own):
    """A table of two codes, as an earlier version of this program left it."""
    folder = own.folder / "runs/own"
    first = json.loads((folder / "study.json").read_text())["recorded"]["code"]
    study = change(own)
    second = user_code.source_digest(study.references)
    make_old(folder)

    def note(content):
        entry = {"path": code.OWN_CODE, "was": first, "now": second, "allowed": True}
        content["history"] = [{"at": "2026-01-02T04:00:00+00:00", "changed": [entry]}]
        content["recorded"]["code"] = second
        del content["recorded"]["code_files"]

    edit_badly(folder / "study.json", note)
    store = Store(str(folder))
    older = store.trial_ids()
    for trial_id in older:
        part = store.read_part(trial_id).row
        other = trial_id[:8] + f"{int(trial_id[8:], 16) ^ 0xFFFFFFFF:08x}"
        better = part["val_loss"] and part["val_loss"] + 1
        row = part | {"trial_id": other, "started_at": "2026-01-02T05:00:00+00:00"}
        store.write_row(row | {"val_loss": better}, [])
    return folder, older


@pytest.mark.slow
def test_a_table_of_two_codes_is_judged_by_the_one_that_is_chosen(own):
    folder, older = mixed(own)
    done = call(own.folder, "analyze", "own")
    assert done.returncode == 2 and "--code newer" in done.stderr, done.stderr
    losses = {}
    for choice in ("older", "newer"):
        done = call(own.folder, "analyze", "own", "--code", choice, "--json")
        assert done.returncode in (0, 3), done.stderr
        study, store = rundir.find_run(str(folder), folder, "runs")
        _, chosen = code.of_choice(store, study, choice)
        losses[choice] = chosen.table()["val_loss"].min()
        assert (set(chosen.trial_ids()) == set(older)) == (choice == "older")
    assert losses["newer"] == pytest.approx(losses["older"] + 1)
    assert call(own.folder, "analyze", "own", "--code", "best").returncode == 2


@pytest.mark.slow
def test_doctor_sets_the_other_code_aside_and_restoring_the_file_then_helps(own):
    folder, older = mixed(own)
    change(own, "")
    done = run(own)
    assert done.returncode == 2 and "doctor" in done.stderr, done.stderr
    assert call(own.folder, "doctor", "runs/own").returncode == 1
    done = call(own.folder, "doctor", "runs/own", "--repair", "--code", "older")
    assert done.returncode == 0, done.stdout + done.stderr
    assert Store(str(folder)).trial_ids() == older
    done = run(own)
    assert done.returncode == 0, done.stderr
    assert Store(str(folder)).trial_ids() == older
    assert call(own.folder, "analyze", "own").returncode in (0, 3)


def test_a_version_whose_trials_compute_something_else_is_refused(tiny, tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    rundir.claim(store, tiny)
    monkeypatch.setattr(code, "RESULT_SCHEMA", RESULT_SCHEMA + 1)
    with pytest.raises(UserError, match="result schema"):
        rundir.claim(store, dataclasses.replace(tiny))
