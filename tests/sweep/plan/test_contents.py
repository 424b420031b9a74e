"""A decision that cannot be followed is named, with what it must hold."""

import pytest

from mutransfer.sweep.plan import contents
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, study_of
from tests.sweep.edited import edit
from tests.sweep.planted import play, played_run

HPS = {"lr": 0.01, "init_std": 1.0}
TRIAL = {"place": 8, "arm": "mup", "hps": HPS, "seed": 3}
WRONG = [
    ("search-000", {}), ("search-000", {"proposals": [{"init_std": 1.0}]}),
    ("search-000", {"proposals": [HPS | {"lr": "1"}]}), ("search-000", {"proposals": {"lr": 1}}),
    ("centre", {"centre": HPS}), ("centre", {"centre": HPS, "search_best": HPS | {"lr": -1.0}}),
    ("centre", {"centre": HPS | {"momentum": 1.0}, "search_best": HPS}),
    ("transferred", {"transferred": HPS}), ("transferred", {"transferred": [], "flags": {}}),
    ("settle-000", {}), ("settle-000", {"trials": [TRIAL | {"arm": "x"}]}),
    ("settle-000", {"trials": [3]}), ("settle-000", {"trials": [TRIAL | {"place": 2.5}]}),
    ("convergence", {}), ("convergence", {"lr": True}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), WRONG)
def test_what_is_wrong_is_said(name, content):
    assert contents.fault(name, content, ["lr", "init_std"])


def test_what_is_written_is_right():
    study = study_of(TINY)
    decisions, *_ = play(study)
    decisions["settle-000"] = {"trials": [TRIAL]}
    for name, content in decisions.items():
        assert contents.fault(name, content, study.parameters) is None, name


def test_a_decision_with_missing_keys_is_one_message_of_every_command(tmp_path):
    played_run(study_of(TINY), tmp_path / "runs/tiny")
    edit(tmp_path / "runs/tiny/decisions/centre.json", lambda c: c.pop("search_best"))
    for words in ("analyze", "export --width 64", "plan --no-time", "log --to tensorboard",
                  "run --inline", "dashboard --journal-only"):  # fmt: skip
        command, *options = words.split()
        done = call(tmp_path, command, "runs/tiny", *options)
        assert done.returncode in (0, 2) and "bug" not in done.stderr, done.stderr
        assert done.returncode == 0 or "centre" in done.stderr, done.stderr
    assert call(tmp_path, "status", "runs/tiny").returncode == 0
    assert Store(str(tmp_path / "runs/tiny")).trial_ids()
