"""The log of a run directory: whole lines whatever was cut off, and nothing rests on it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from mutransfer.sweep.errors import RunError, Stopped, UserError
from mutransfer.sweep.run import driver, events
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import write_spec


def lines(store: Store) -> list[dict]:
    """Every line of the log, which must be an object."""
    text = Path(store.path(events.FILE)).read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Store:
    """The tiny study, run by the command line."""
    folder = tmp_path_factory.mktemp("ran")
    write_spec(folder)
    assert call(folder, "run", "tiny", "--inline").returncode == 0
    return Store(str(folder / "runs/tiny"))


def test_every_trial_and_decision_stands_in_the_log_once(ran):
    log = lines(ran)
    rows = ran.rows()
    for event in ("trial_started", "trial_finished"):
        ids = [line["trial_id"] for line in log if line["event"] == event]
        assert sorted(ids) == sorted(rows)
    ended = {line["trial_id"]: line for line in log if line["event"] == "trial_finished"}
    for trial_id, row in rows.items():
        assert ended[trial_id]["status"] == row["status"]
        assert ended[trial_id]["val_loss"] == row["val_loss"]
    decided = [line["name"] for line in log if line["event"] == "decision"]
    assert sorted(decided) == sorted(ran.decisions())
    assert (log[0]["event"], log[-1]["event"]) == ("run_started", "run_ended")
    assert log[-1]["outcome"] == "finished" and log[-1]["trials"] == Counter(
        row["status"] for row in rows.values()
    )
    assert [line["time"] for line in log] == sorted(line["time"] for line in log)


def test_a_study_without_its_log_is_the_same_study(ran):
    folder = Path(ran.root).parent.parent
    before = Path(ran.path(events.FILE)).read_bytes()
    verdict = json.loads(call(folder, "analyze", "tiny", "--json").stdout)
    Path(ran.path(events.FILE)).unlink()
    assert json.loads(call(folder, "analyze", "tiny", "--json").stdout) == verdict
    assert call(folder, "doctor", "tiny").returncode == 0
    assert call(folder, "run", "tiny", "--inline").returncode == 0
    assert [line["event"] for line in lines(ran)] == ["run_started", "run_ended"]
    Path(ran.path(events.FILE)).write_bytes(before)


def test_a_line_that_a_kill_cut_off_spoils_no_other(tmp_path):
    store = Store(str(tmp_path))
    events.append(store, "decision", name="first")
    with Path(store.path(events.FILE)).open("a") as file:
        file.write('{"event": "trial_fin')
    events.append(store, "decision", name="second")
    assert [event["name"] for event in events.read(store)] == ["first", "second"]
    with pytest.raises(ValueError):  # the control: the torn line is there
        lines(store)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Stopped(15), {"outcome": "stopped", "signal": 15}),
        (KeyboardInterrupt(), {"outcome": "stopped", "signal": None}),
        (RunError("too many failed"), {"outcome": "failed", "error": "too many failed"}),
    ],
)
def test_the_end_of_a_run_says_why(tmp_path, error, said):
    store = Store(str(tmp_path))
    with pytest.raises(type(error)), events.of_run(store, study="tiny"):
        raise error
    start, end = lines(store)
    assert start["event"] == "run_started" and start["study"] == "tiny"
    assert {name: end[name] for name in said} == said


def test_a_limit_is_told_apart_from_the_end(tmp_path):
    store = Store(str(tmp_path))
    for reason in ("limits.trials: 3 trials have run", None):
        with events.of_run(store) as ended:
            ended["stopped_by"] = reason
    assert [line.get("outcome") for line in lines(store)] == [None, "limit", None, "finished"]


def test_text_and_numbers_stay_one_line_of_json(tmp_path):
    store = Store(str(tmp_path))
    text = "two\nlines \x1b[31m " + "x" * 1000
    events.append(store, "trial_finished", error=text, val_loss=float("nan"), flops=float("inf"))
    raw = Path(store.path(events.FILE)).read_bytes()
    assert raw.count(b"\n") == 1 and b"\x1b" not in raw and b"NaN" not in raw
    (line,) = lines(store)
    assert (line["val_loss"], line["flops"]) == (None, None)
    assert line["error"] == text[: events.MAX_TEXT]


def test_a_log_that_cannot_be_written_stops_nothing_but_a_link_does(tiny, tmp_path):
    store = Store(str(tmp_path / "run"))
    (tmp_path / "run" / events.FILE).mkdir(parents=True)  # opening it is an OSError
    assert driver.State.load(tiny, store).next.trials
    other, outside = Store(str(tmp_path / "other")), tmp_path / "precious"
    outside.write_text("precious")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / events.FILE).symlink_to(outside)
    with pytest.raises(UserError, match="link"), other.lock():
        pass
    with pytest.raises(UserError, match="link"):
        events.append(other, "gate")
    assert outside.read_text() == "precious"
