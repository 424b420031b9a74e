"""The example of a user's own module, loss and data, swept end to end."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call

SPEC = Path(__file__).parents[2] / "examples/custom/sweeps.yaml"


@pytest.mark.slow
def test_the_transformer_is_checked_swept_judged_and_exported(tmp_path):
    where = ("--spec", str(SPEC), "--runs", str(tmp_path))
    done = call(tmp_path, "run", "language", "--inline", *where)
    assert done.returncode == 0, done.stderr
    assert "coordinate check: PASS" in done.stdout
    table = Store(str(tmp_path / "language")).table()
    assert set(table["status"]) <= {"done", "diverged"} and (table["family"] == "custom").all()
    assert call(tmp_path, "analyze", "language", *where).returncode in (0, 3)
    report = (tmp_path / "language/report.html").read_text()
    assert "Coordinate check" in report and "coordcheck_update" in report
    call(tmp_path, "export", "language", "--width", "256", "--force", *where)
    best = YAML(typ="safe").load(tmp_path / "language/best.yaml")
    rows = best["plan"]["params"]
    assert rows["head.weight"]["lr_mult"] == 1 / 8
    assert rows["layers.layers.0.self_attn.in_proj_weight"]["role"] == "hidden"
