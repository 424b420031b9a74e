"""Results and decisions are written once, completely or not at all."""

import json
import multiprocessing

import pytest
from pyarrow import fs as pafs

from mutransfer.analysis.table.table import TableError
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.store import MOST_LOST, WORKER_LOST, Store
from tests.sweep.planted import a_row


def test_the_first_part_of_a_trial_is_kept(tiny, tmp_path):
    store = Store(str(tmp_path))
    assert store.write_row(a_row(tiny), [{"step": 1, "train_loss": 1.0}])
    assert not store.write_row(a_row(tiny, val_loss=0.1), [{"step": 1, "train_loss": 2.0}])
    assert store.table()["val_loss"].tolist() == [0.5]
    assert store.curves()["train_loss"].tolist() == [1.0]


def test_a_part_that_is_not_completely_written_is_no_part(tiny, tmp_path):
    store = Store(str(tmp_path))
    store.write_row(a_row(tiny), [])
    torn = tmp_path / "trials" / ".0123.parquet.77-ab.tmp"
    torn.write_bytes(b"PAR1 torn")
    assert len(store.table()) == 1
    store.sweep_temporaries()
    assert not torn.exists() and len(store.table()) == 1


def test_a_part_of_another_schema_is_an_error(tiny, tmp_path):
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


def test_trials_that_lost_their_worker_are_forgotten_alone(tiny, tmp_path):
    store = Store(str(tmp_path))
    failed = {"status": "failed", "val_loss": None}
    store.write_row(a_row(tiny, seed=1, error=f"{WORKER_LOST}: its process died", **failed), [])
    store.write_row(a_row(tiny, seed=2, error="OSError: no data", **failed), [])
    assert store.forget_failed(WORKER_LOST) == 1
    assert store.table()["seed"].tolist() == [2]


def test_a_trial_that_loses_its_worker_in_every_run_is_given_up(tiny, tmp_path):
    store = Store(str(tmp_path))
    failed = {"status": "failed", "val_loss": None}
    for run in range(MOST_LOST):
        assert store.lost_too_often() == set()
        lost = a_row(tiny, seed=1, error=f"{WORKER_LOST}: x", started_at=f"{run}", **failed)
        other = a_row(tiny, seed=2, error="OSError: no data", started_at=f"{run}", **failed)
        store.write_row(lost, [])
        store.write_row(other, [])
        if run < MOST_LOST - 1:
            content = store.read_bytes("trials", f"{lost['trial_id']}.parquet")
            assert store.forget_failed() == 2
            store.write(content, "trials", f"{lost['trial_id']}.parquet")
            assert store.lost_too_often() == set(), "killed before the removal: still one attempt"
            assert store.forget_failed() == 1
    # The control, the trial of seed 2, failed as often, but by itself.
    assert store.lost_too_often() == {lost["trial_id"]}
    assert store.forget_failed(WORKER_LOST, keep=store.lost_too_often()) == 0
    assert store.forget_failed() == 2, "on request they run again"


def test_what_a_forgotten_attempt_cost_is_kept_and_counted_once(tiny, tmp_path):
    store = Store(str(tmp_path))
    failed = a_row(tiny, seed=2, status="failed", val_loss=None, flops=7.0, started_at="first")
    store.write_row(failed, [])
    content = store.read_bytes("trials", f"{failed['trial_id']}.parquet")
    assert store.retried() == [] and store.forget_failed() == 1
    assert [(a["asked_by"], a["flops"]) for a in store.retried()] == [("set", 7.0)]
    store.write(content, "trials", f"{failed['trial_id']}.parquet")  # killed before the removal
    assert store.forget_failed() == 1 and len(store.retried()) == 1
    store.write_row(failed | {"started_at": "second", "flops": None}, [])
    assert store.forget_failed() == 1
    assert [a["flops"] for a in store.retried()] == [7.0, 0.0]


@pytest.mark.parametrize(
    "attempts", [None, 3, [3], [{}], [{"asked_by": "set"}], [{"asked_by": "<b>", "flops": 1.0}],
                 [{"asked_by": "set", "flops": -1.0}], [{"asked_by": "set", "flops": "1"}]]
)  # fmt: skip
def test_a_damaged_list_of_attempts_is_one_message(tmp_path, attempts):
    store = Store(str(tmp_path))
    store.write(json.dumps({"attempts": attempts}).encode(), "retried.json")
    with pytest.raises(UserError, match=r"retried\.json: must list failed attempts"):
        store.retried()


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"a": "\\ud800"}', "[" * 100_000, "1e999", b"\xff".decode("latin1")]
)
def test_a_file_that_is_no_json_object_is_named(tmp_path, content):
    store = Store(str(tmp_path))
    store.write(content.encode("latin1"), "decisions", "centre.json")
    with pytest.raises(UserError, match=r"centre\.json: is not JSON"):
        store.decisions()
    store.write(b'{"a": "\\u03bc"}', "decisions", "centre.json")  # the control
    assert store.decisions() == {"centre": {"a": "μ"}}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("where a folder should be")
    store = Store(str(tmp_path / "file" / "tiny"))
    with pytest.raises(UserError, match=r"cannot be written: .*Not a directory; .* --runs"):
        store.write(b"", "plots", "a.png")
    with pytest.raises(UserError, match="cannot be written"), store.lock():
        pass
