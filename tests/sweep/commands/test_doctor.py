"""`doctor` names what is wrong with a run directory, and what it repairs ends as if undisturbed."""

import json
import shutil

import pytest

from mutransfer.analysis import table as results
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, study_of, write_spec
from tests.sweep.edited import edit_badly
from tests.sweep.planted import played_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    write_spec(folder)
    played_run(study_of(TINY), folder / "runs/tiny")
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def test_a_sound_run_directory_is_called_sound(folder):
    done = call(folder, "doctor", "tiny")
    assert done.returncode == 0 and "sound" in done.stdout
    (folder / "runs/tiny/trials/notes.txt").write_text("mine")
    done = call(folder, "doctor", "runs/tiny")
    assert done.returncode == 0 and "notes.txt" in done.stdout and "ignored" in done.stdout


def test_what_is_damaged_is_named_refused_repaired_and_run_again(folder):
    run = folder / "runs/tiny"
    before, decisions = Store(str(run)).table(), Store(str(run)).decisions()
    part, curve = sorted((run / "trials").glob("*"))[0], sorted((run / "curves").glob("*"))[5]
    part.write_bytes(part.read_bytes()[:100])
    curve.unlink()
    edit_badly(run / "decisions/centre.json", lambda c: c["centre"].update(lr=0.4))
    (run / "decisions/search-001.json").unlink()
    names = (part.name, curve.name, "centre.json", "search-001.json")
    done = call(folder, "doctor", "tiny")
    assert done.returncode == 1 and all(name in done.stdout for name in names), done.stdout
    for words in (("analyze", "tiny"), ("export", "tiny", "--width", "64"), ("run", "tiny")):
        done = call(folder, *words)
        assert done.returncode == 2 and "doctor" in done.stderr, (words, done.stderr)
    status = call(folder, "status", "tiny")
    assert status.returncode == 0 and "centre.json" in status.stdout
    done = call(folder, "doctor", "tiny", "--repair")
    assert "Traceback" not in done.stderr, done.stderr
    assert len(list((run / "set-aside").iterdir())) >= 3
    played_run(study_of(TINY), run)
    assert results.same(before, Store(str(run)).table()) == []
    again = Store(str(run)).decisions()
    for content in (*decisions.values(), *again.values()):
        content.pop("versions", None)
    assert again == decisions
    assert call(folder, "doctor", "tiny").returncode == 0


def test_run_sets_damaged_parts_aside_and_runs_only_their_trials_again(folder):
    run = folder / "runs/tiny"
    for part in sorted((run / "trials").glob("*"))[:2]:
        part.write_bytes(b"PAR1")
    n = len(list((run / "trials").glob("*")))
    kept = {p.name: p.stat().st_mtime_ns for p in sorted((run / "trials").glob("*"))[2:]}
    done = call(folder, "run", "tiny", "--inline", "--no-coordcheck")
    assert done.returncode == 0 and done.stderr.count("set aside: trials/") == 2, done.stderr
    times = {p.name: p.stat().st_mtime_ns for p in (run / "trials").glob("*")}
    assert len(times) == n and times.items() >= kept.items()


def test_a_damaged_study_json_is_written_again_from_the_spec_of_the_same_seal(folder):
    file = folder / "runs/tiny/study.json"
    edit_badly(file, lambda c: c["spec"]["target"]["tolerance"].update(rel_loss=0.9))
    assert call(folder, "analyze", "tiny").returncode == 2
    done = call(folder, "doctor", "runs/tiny", "--repair")
    assert done.returncode == 1 and "repair by name" in done.stdout, "a stranger has no spec"
    write_spec(folder, TINY.replace("rel_loss: 0.02", "rel_loss: 0.9"))
    done = call(folder, "doctor", "tiny", "--repair")
    assert done.returncode == 2 and "differ" in done.stderr, "the edit, in the spec as well"
    write_spec(folder)
    done = call(folder, "doctor", "tiny", "--repair")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(file.read_text())["spec"]["target"]["tolerance"]["rel_loss"] == 0.02


def test_json_lists_the_findings(folder):
    (folder / "runs/tiny/decisions/centre.json").write_text("{")
    done = call(folder, "doctor", "tiny", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][0]["path"] == "decisions/centre.json"


def test_where_nothing_was_run_it_says_so(tmp_path):
    write_spec(tmp_path)
    done = call(tmp_path, "doctor", "tiny")
    assert done.returncode == 2 and "nothing was run" in done.stderr
