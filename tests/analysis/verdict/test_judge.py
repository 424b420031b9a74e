"""The verdict on a table: what it contains, and what it does not depend on."""

import json

import pandas as pd
import pytest

from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted
from tests.analysis.verdict.tables import codes


def test_transfer_is_passed_with_all_its_figures(verdict: Verdict) -> None:
    assert verdict.verdict == "PASS"
    assert verdict.sentence.startswith("PASS: at width 512")
    assert [e.word for e in verdict.hps] == ["PASS", "PASS"]
    assert all(c.holds for e in verdict.hps for c in e.conditions)
    lr = verdict.of_hp("lr")
    assert lr.contrast.differs is True
    assert lr.drift_sp.estimate == pytest.approx(-1.0, abs=0.1)
    assert verdict.of_hp("init_std").drift_sp is None
    plain = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert plain["schema"] == 1
    assert plain["counts"] == {"done": 222}


def test_an_empty_table_or_no_set_is_inconclusive(study: pd.DataFrame) -> None:
    assert judge(study[:0], planted.question()).verdict == "INCONCLUSIVE"
    unset = judge(study, planted.question(transferred=None))
    assert unset.verdict == "INCONCLUSIVE"
    assert codes(unset) == {"no_transferred_set"}
    json.dumps(unset.to_dict(), allow_nan=False)


def test_no_hp_at_all_is_inconclusive(study: pd.DataFrame) -> None:
    judged = judge(study, planted.question(parameters=(), control_parameters=()))
    assert judged.verdict == "INCONCLUSIVE"


def test_the_verdict_does_not_depend_on_the_stage_or_the_order_of_rows(study: pd.DataFrame) -> None:
    shuffled = study.sample(frac=1.0, random_state=0).assign(asked_by="search")
    first, second = judge(study, planted.question()), judge(shuffled, planted.question())
    assert first.sentence == second.sentence


def test_the_control_does_not_enter_the_verdict(study: pd.DataFrame) -> None:
    kept = study[(study["arm"] == "mup")]
    judged = judge(kept, planted.question(control=None))
    assert judged.sentence == judge(study, planted.question()).sentence
