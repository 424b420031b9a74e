import multiprocessing

import pytest
from pyarrow import fs as pafs

from mutransfer.analysis.table.table import TableError
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import worker
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of


def a_row(tiny, seed: int = 1, **values):
    ask = TrialRequest(
        config=trial(tiny, axis_value=16, arm="mup", hps={"lr": 0.01}, seed=seed), asked_by="set"
    )
    return {**worker.identity_columns(ask, "tiny"), "status": "done", "val_loss": 0.5, **values}


def test_the_first_part_of_a_trial_stays(tiny, tmp_path):
    store = Store(str(tmp_path))
    assert store.write_row(a_row(tiny), [{"step": 1, "train_loss": 1.0}])
    assert not store.write_row(a_row(tiny, val_loss=0.1), [{"step": 1, "train_loss": 2.0}])
    assert store.table()["val_loss"].tolist() == [0.5]
    assert store.curves()["train_loss"].tolist() == [1.0]


def test_a_part_that_is_half_written_is_no_part(tiny, tmp_path):
    store = Store(str(tmp_path))
    store.write_row(a_row(tiny), [])
    torn = tmp_path / "trials" / ".0123.parquet.77-ab.tmp"
    torn.write_bytes(b"PAR1 torn")
    assert len(store.table()) == 1
    store.sweep_temporaries()
    assert not torn.exists() and len(store.table()) == 1


def test_a_foreign_part_is_named_and_not_swallowed(tiny, tmp_path):
    store = Store(str(tmp_path))
    store.write_row(a_row(tiny, schema=99), [])
    with pytest.raises(TableError, match="schema"):
        store.table()


def test_writing_leaves_no_temporaries_and_works_on_any_file_system(tiny, tmp_path):
    store = Store(str(tmp_path / "a"))
    store.write_row(a_row(tiny), [{"step": 1}])
    assert not list(tmp_path.rglob("*.tmp"))
    other = Store(str(tmp_path / "b"))
    other.fs, other.local = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem()), False
    other.root = "b"
    assert other.write_row(a_row(tiny), []) and not other.write_row(a_row(tiny, val_loss=1.0), [])
    assert other.table()["val_loss"].tolist() == [0.5]


def test_decisions_are_written_once(tmp_path):
    store = Store(str(tmp_path))
    assert store.decide("centre", {"lr": 1}) == {"lr": 1}
    assert store.decide("centre", {"lr": 2}) == {"lr": 1}
    assert store.decisions() == {"centre": {"lr": 1}}


def hold(root: str, held, release) -> None:
    with Store(root).lock():
        held.set()
        release.wait(30)


def test_one_driver_at_a_time(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(str(tmp_path), held, release))
    other.start()
    assert held.wait(60)
    with pytest.raises(UserError, match="another `mutransfer run`"), Store(str(tmp_path)).lock():
        pass
    release.set()
    other.join(30)
    with Store(str(tmp_path)).lock():
        pass


def test_failed_rows_can_be_forgotten_and_others_not(tiny, tmp_path):
    store = Store(str(tmp_path))
    store.write_row(a_row(tiny, seed=1), [])
    store.write_row(a_row(tiny, seed=2, status="failed", val_loss=None, error="x"), [])
    assert store.forget_failed() == 1
    assert store.table()["seed"].tolist() == [1]


def test_a_run_directory_belongs_to_one_spec(tiny, tmp_path):
    store = Store(str(tmp_path))
    assert rundir.claim(store, tiny) == []
    assert rundir.claim(store, tiny) == []
    for change in (("rel_loss: 0.02", "rel_loss: 0.5"), ("steps: 6", "steps: 7"),
                   ("seeds: 2, max", "seeds: 1, max"), ("max: 2^-5", "max: 2^-4")):  # fmt: skip
        with pytest.raises(UserError, match="belongs to another spec"):
            rundir.claim(store, study_of(TINY.replace(*change)))


def test_a_study_may_grow(tiny, tmp_path):
    store = Store(str(tmp_path))
    rundir.claim(store, tiny)
    grown = study_of(
        TINY.replace("[8, 16]", "[8, 16, 24]").replace("seeds: 2, max", "seeds: 3, max")
    )
    assert {c.path for c in rundir.claim(store, grown)} == {"transfer.widths", "transfer.seeds"}
    history = rundir.provenance(store)["history"]
    assert len(history) == 1 and len(history[0]["changed"]) == 2


def test_results_without_a_spec_are_not_taken_over(tiny, tmp_path):
    store = Store(str(tmp_path))
    store.write_row(a_row(tiny), [])
    with pytest.raises(UserError, match="move it away"):
        rundir.claim(store, tiny)
