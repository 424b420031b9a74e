"""The command `analyze` of a finished study: its files and its exit code."""

import errno
import json
import os
import shutil

from tests.sweep.command_line import call


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


def test_the_verdict_is_told_where_the_report_cannot_be_written(ran, tmp_path, monkeypatch):
    folder = shutil.copytree(ran, tmp_path / "copy")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(full))
    done = call(folder, "analyze", "tiny")
    assert done.returncode == 3 and "No space left" in done.stderr, done.stderr
    assert "INCONCLUSIVE" in done.stdout or "FAIL" in done.stdout
