"""W&B runs, written offline."""

from pathlib import Path

import pytest

from mutransfer.sweep.viewers import log_writer


@pytest.mark.slow
def test_wandb_writes_offline_runs_named_by_their_trial(logged, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    first = log_writer.write_new("tiny", logged, ["wandb"])
    assert (first.written, first.faults) == ({"wandb": 2}, {})
    done = logged.table().query("status == 'done'")["trial_id"].item()
    runs = sorted(Path(logged.root, "wandb").glob("offline-run-*"))
    assert len(runs) == 2 and sum(run.name.endswith(f"tiny-{done}") for run in runs) == 1
    (content,) = [next(r.glob("*.wandb")).read_bytes() for r in runs if r.name.endswith(done)]
    for word in (b"hp.lr", b"0.015625", b"train_loss", b"val_loss", b"slices", b"width 16"):
        assert word in content, word
    assert log_writer.write_new("tiny", logged, ["wandb"]).written == {"wandb": 0}
