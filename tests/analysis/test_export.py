"""Writing best.yaml: read alike everywhere, never claiming more than was shown."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from mutransfer.analysis import export
from mutransfer.analysis.best import BestError, BestWarning, load_best
from mutransfer.analysis.verdict.evidence import Fits, gather
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted

yaml = pytest.importorskip("yaml")


def best(verdict: Verdict, width: int = planted.TARGET, **changes: Any) -> dict:
    values = {
        "question": planted.question(),
        "study": "no",
        "family": "dit",
        "optimizer": {"betas": [0.9, 0.999], "eps": 1e-12},
        "roles": [{"role": "hidden", "lr": 3e-5, "eps": 1e-12}],
        "plan": {"blocks.0.qkv.weight": {"role": "hidden", "lr_mult": 0.0625}},
        "valid_for": {"depth": 2, "batch_size": 32, "schedule": "on", "ema_frac": None},
        "provenance": {"commit": "12e4567", "date": "2026-01-02", "rows": 222, "time": "12:30:45"},
    }
    return export.best_yaml(verdict=verdict, width=width, **(values | changes))


def test_yaml_1_1_and_1_2_read_what_was_written(verdict: Verdict) -> None:
    content = best(verdict)
    text = export.dump(content)
    assert yaml.safe_load(text) == content
    assert YAML(typ="safe", pure=True).load(text) == content
    assert type(yaml.safe_load(text)["optimizer"]["eps"]) is float
    assert "eps: 1.0e-12" in text


def test_the_verdict_stands_on_the_first_lines(verdict: Verdict) -> None:
    lines = export.dump(best(verdict)).splitlines()
    assert lines[:2] == ["format: 1", "verdict: PASS"]
    assert list(best(verdict)) == list(export.KEYS)


def test_the_cost_is_the_verdicts_whole_and_by_stage(verdict: Verdict) -> None:
    cost = yaml.safe_load(export.dump(best(verdict)))["cost"]
    assert cost == verdict.to_dict()["cost"] and cost["share_of_production"] is None
    stages = cost["by_stage"].values()
    assert sum(s["target_runs"] for s in stages) == pytest.approx(cost["target_runs"])
    without = {key: value for key, value in best(verdict).items() if key != "cost"}
    assert "cost" not in yaml.safe_load(export.dump(without))  # of an earlier version


def test_no_pass_is_shouted_on_the_first_line(study: pd.DataFrame) -> None:
    judged = judge(study[study["seed"] != 2], planted.question())
    text = export.dump(best(judged))
    assert judged.verdict == "INCONCLUSIVE"
    assert text.startswith("# VERDICT INCONCLUSIVE")
    assert yaml.safe_load(text)["verified_up_to_width"] is None


def accepting(verdict: Verdict, tolerance_loss: float) -> Verdict:
    """The verdict with another accepted regret."""
    return replace(verdict, set=replace(verdict.set, tolerance_loss=tolerance_loss))


def test_beyond_the_target_it_is_at_best_predicted(
    verdict: Verdict, fits: Mapping[str, Fits]
) -> None:
    question = planted.question()
    assert export.verdict_at(verdict, question, planted.TARGET, fits) == ("PASS", None, 0.0)
    word, bound, doublings = export.verdict_at(accepting(verdict, 0.01), question, 1024, fits)
    assert (word, doublings) == ("PREDICTED", 1.0) and 0 < bound < 0.01
    strict = export.verdict_at(accepting(verdict, bound / 2), question, 1024, fits)
    assert strict[:2] == ("NOT_SUPPORTED", bound)
    for k in (2, 8, 32):
        word, further, _ = export.verdict_at(verdict, question, planted.TARGET * 2**k, fits)
        assert word == "NOT_SUPPORTED" and (further is None or further > bound)
    assert export.verdict_at(verdict, question, 1024)[:2] == ("NOT_SUPPORTED", None)


def test_the_offset_of_the_set_from_the_targets_optimum_counts(
    verdict: Verdict, fits: Mapping[str, Fits]
) -> None:
    off = planted.TRANSFERRED | {"lr": planted.TRANSFERRED["lr"] * 2}
    bounds = [
        export.verdict_at(verdict, planted.question(transferred=t), 1024, fits)[1]
        for t in (planted.TRANSFERRED, off)
    ]
    assert bounds[1] > bounds[0] + 0.8 * planted.Law().lr_curvature


def test_nothing_is_predicted_from_no_pass(study: pd.DataFrame) -> None:
    question = planted.question()
    fewer = study[study["seed"] != 2]
    judged, fits = judge(fewer, question), gather(fewer, question)
    assert export.verdict_at(judged, question, 2 * planted.TARGET, fits)[0] == "NOT_SUPPORTED"
    assert export.verdict_at(judged, question, planted.TARGET, fits)[0] == "INCONCLUSIVE"


def test_without_a_ladder_nothing_is_predicted() -> None:
    question = planted.question(axis_values=(64,), control=None, control_parameters=())
    table = planted.table(planted.Law(), question)
    judged, fits = judge(table, question), gather(table, question)
    assert judged.verdict == "PASS"
    assert export.verdict_at(judged, question, 1024, fits)[:2] == ("NOT_SUPPORTED", None)


def test_the_prediction_stands_in_the_file(verdict: Verdict, fits: Mapping[str, Fits]) -> None:
    content = yaml.safe_load(export.dump(best(verdict, width=1024, fits=fits)))
    lr = content["prediction"]["lr"]
    assert lr["log2_low"] < planted.LR_OPT < lr["log2_high"] and lr["axis_value"] == 1024
    assert sum(law["weight"] for law in lr["laws"]) == pytest.approx(1)
    assert content["predicted_regret"] >= lr["regret_upper"]
    assert best(verdict, fits=fits)["prediction"] is None


def test_what_is_written_is_loaded(
    verdict: Verdict, fits: Mapping[str, Fits], tmp_path: Path
) -> None:
    path = tmp_path / "best.yaml"
    path.write_text(export.dump(best(verdict)), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_best(path, depth=2, batch_size=32, width=planted.TARGET)
    assert loaded["hps"] == planted.TRANSFERRED
    path.write_text(
        export.dump(best(accepting(verdict, 0.01), width=1024, fits=fits)), encoding="utf-8"
    )
    with pytest.warns(BestWarning, match="PREDICTED"):
        load_best(path)


def test_numbers_must_be_finite_and_a_set_chosen(verdict: Verdict, study: pd.DataFrame) -> None:
    with pytest.raises(BestError, match="finite"):
        export.dump(best(verdict, optimizer={"eps": float("nan")}))
    unset = planted.question(transferred=None)
    with pytest.raises(BestError, match="transferred"):
        best(judge(study, unset), question=unset)
    with pytest.raises(ValueError, match="width"):
        export.verdict_at(verdict, planted.question(), 0)
