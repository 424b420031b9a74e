"""The command `log`, and the key `loggers` of a study."""

from pathlib import Path

from typer.testing import CliRunner

from mutransfer.sweep.cli import app
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, write_spec


def test_a_study_with_loggers_writes_each_trial_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = TINY.replace("seeds: 2", "seeds: 1").rstrip() + "\n    loggers: [tensorboard]\n"
    write_spec(tmp_path, text)
    run = ["run", "tiny", "--inline", "--runs", str(tmp_path / "runs")]
    assert CliRunner().invoke(app, run).exit_code == 0
    store = Store(str(tmp_path / "runs" / "tiny"))
    files = sorted(Path(store.root, "tensorboard").rglob("events.*"))
    assert len(files) == len(store.table()) > 8
    result = CliRunner().invoke(app, run)
    assert result.exit_code == 0 and "note" not in result.output
    assert sorted(Path(store.root, "tensorboard").rglob("events.*")) == files
    log = CliRunner().invoke(app, ["log", store.root, "--to", "tensorboard"])
    assert log.exit_code == 0 and "tensorboard: 0 trials written" in log.output
    assert CliRunner().invoke(app, ["log", store.root, "--to", "tensorbord"]).exit_code != 0
