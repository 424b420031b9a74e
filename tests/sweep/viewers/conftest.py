import pytest

from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.planted import row

CURVE = [
    {"step": s, "train_loss": 1 / s, "val_loss": 0.5 if s == 6 else None, "lr": 0.1,
     "grad_norm": 1.0}
    for s in (2, 4, 6)
]  # fmt: skip
TIMES = {"started_at": "2026-01-02T03:04:05+00:00", "finished_at": "2026-01-02T03:05:05+00:00"}


@pytest.fixture
def logged(tiny, tmp_path) -> Store:
    """A run directory with a finished, a diverged and a failed trial."""
    store = Store(str(tmp_path / "tiny"))
    rundir.claim(store, tiny)
    for seed, outcome in ((1, 0.5), (2, None), (3, "failed")):
        config = trial(tiny, axis_value=16, arm="mup", hps={"lr": 2**-6}, seed=seed)
        entry = row(TrialRequest(config=config, asked_by="slices"), outcome) | TIMES
        store.write_row(entry, [] if outcome == "failed" else CURVE)
    return store
