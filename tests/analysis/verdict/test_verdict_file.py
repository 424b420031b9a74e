"""verdict.json: read back as it was written; older formats are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mutransfer.analysis.verdict.judge import FORMAT, Verdict, judge
from mutransfer.analysis.verdict.verdict_file import VerdictError, read_verdict
from tests.analysis import planted
from tests.environments import ROOT


def written(content: Any, folder: Path) -> Path:
    path = folder / "verdict.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_verdict_is_read_back_equal(verdict: Verdict, study: pd.DataFrame, tmp_path: Path):
    assert read_verdict(written(verdict.to_dict(), tmp_path)) == verdict
    noisy = judge(study[study["seed"] != 2], planted.question())
    assert noisy.settle and read_verdict(written(noisy.to_dict(), tmp_path)) == noisy
    with_convergence = verdict.to_dict() | {"convergence": {"width": 512}, "progress": {"done": 3}}
    assert read_verdict(str(written(with_convergence, tmp_path))) == verdict


def test_a_verdict_of_format_3_is_read_without_its_collapsed_runs(verdict: Verdict, tmp_path: Path):
    recorded = read_verdict(ROOT / "benchmarks/results/digits-dit-full-verdict.json")
    assert recorded.format == FORMAT and recorded.hps[0].optima[0].n_collapsed is None
    for hps in (3, [3], [{}], [{"optima": 3}], None):
        broken = verdict.to_dict() | {"format": 3, "hps": hps}
        with pytest.raises(VerdictError, match="hps"):
            read_verdict(written(broken, tmp_path))


def test_a_verdict_of_format_5_is_read_without_predictions(verdict: Verdict, tmp_path: Path):
    of_5 = {k: v for k, v in verdict.to_dict().items() if k != "predictions"} | {"format": 5}
    assert read_verdict(written(of_5, tmp_path)) == verdict
    beyond = judge_beyond()
    assert beyond.predictions and read_verdict(written(beyond.to_dict(), tmp_path)) == beyond
    lacking = {k: v for k, v in verdict.to_dict().items() if k != "predictions"}
    with pytest.raises(VerdictError, match="keys of format"):
        read_verdict(written(lacking, tmp_path))


def judge_beyond() -> Verdict:
    """A verdict on a ladder without target rows."""
    question = planted.question(target_at=4096)
    return judge(planted.table(planted.Law(), planted.question(target_at=512)), question)


def test_the_cost_of_an_older_format_is_told_in_target_runs(verdict: Verdict, tmp_path: Path):
    path = ROOT / "benchmarks/results/digits-dit-full-verdict.json"
    old, cost = json.loads(path.read_text())["cost"], read_verdict(path).cost
    assert old["total_flops"] == pytest.approx(cost.flops) and cost.n_trials == 309
    assert cost.target_runs == pytest.approx(old["share"]) and cost.share_of_production is None
    assert {s: a.flops for s, a in cost.by_stage.items()} == pytest.approx(old["by_stage"])
    assert cost.tuning_at_target.target_runs == old["trials_by_stage"]["search"] == 24
    of_4 = verdict.to_dict() | {"format": 4, "cost": old}
    assert read_verdict(written(of_4, tmp_path)).cost == cost
    for broken in (None, 3, {}, old | {"by_stage": None}, old | {"target_flops": -1}):
        with pytest.raises(VerdictError, match="cost"):
            read_verdict(written(of_4 | {"cost": broken}, tmp_path))


def test_the_recorded_verdict_of_the_full_study_can_be_read():
    recorded = read_verdict(ROOT / "benchmarks/results/digits-dit-full-verdict.json")
    assert (recorded.search_at, recorded.target_at, recorded.verdict) == (32, 256, "INCONCLUSIVE")
    lr, init_std = recorded.hps
    assert lr.word == "PASS" and lr.drift_mup.axis_values == (16, 32, 64, 128)
    assert f"{init_std.regret.upper:.4g}" in recorded.sentence


@pytest.mark.parametrize("number", [1, 2])
def test_older_formats_are_refused_in_one_message(number: int, verdict: Verdict, tmp_path: Path):
    old = {"search_width": 64, "target_width": 512, **verdict.to_dict(), "format": number}
    with pytest.raises(VerdictError) as refused:
        read_verdict(written(old, tmp_path))
    message = str(refused.value)
    assert f"got {number}, whose keys are search_width, target_width, width and level" in message
    assert (
        message.endswith("`mutransfer analyze STUDY` or `mutransfer analyze TABLE -o FOLDER`")
        and "\n" not in message
    )


def test_other_files_are_refused_in_one_message(verdict: Verdict, tmp_path: Path):
    content = verdict.to_dict()
    without = {key: value for key, value in content.items() if key != "set"}
    other = json.loads(json.dumps(content).replace('"axis_values"', '"widths"'))
    unknown = content | {"p_value": 0.01}
    for wrong in ([], {}, {"format": 99}, without, other, unknown):
        with pytest.raises(VerdictError, match=re.escape(str(tmp_path))) as refused:
            read_verdict(written(wrong, tmp_path))
        assert "\n" not in str(refused.value)
    with pytest.raises(VerdictError, match=r"must be a verdict\.json; got No such file or dir"):
        read_verdict(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3.0}, "format must be 6; got 3.0"),
        ({"format": True}, "format must be 6; got True"),
        ({"format": "3"}, "format must be 6; got '3'"),
        ({"search_at": True}, "search_at: Input should be a valid integer; got True"),
        ({"search_at": 64.0}, "search_at: Input should be a valid integer; got 64.0"),
        ({"target_at": "512"}, "target_at: Input should be a valid integer; got '512'"),
        ({"sentence": None}, "sentence: Input should be a valid string; got None"),
        ({"hps": []}, "hps: the verdict on one HP or more; got []"),
        ({"hps": {}}, "hps: Input should be a valid array; got {}"),
        ({"tolerance": {"kind": "rel_loss", "value": True}}, "got True"),
        ({"tolerance": {"kind": "rel_loss", "value": -1}}, "above 0; got -1"),
    ],
)
def test_a_wrong_type_is_refused_by_its_key(change: dict, message: str, verdict, tmp_path: Path):
    path = written(verdict.to_dict() | change, tmp_path)
    with pytest.raises(VerdictError) as refused:
        read_verdict(path)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("depth", [300, 900, 950, 100_000])
def test_deep_nesting_is_refused(depth: int, verdict: Verdict, tmp_path: Path):
    path = written(verdict.to_dict(), tmp_path)
    nested = "[" * depth + "]" * depth
    for text in (nested, path.read_text()[:-1] + f', "deep": {nested}}}'):
        path.write_text(text)
        with pytest.raises(VerdictError) as refused:
            read_verdict(path)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


@pytest.mark.parametrize("path", [None, ".", "a\0b", 3])
def test_what_is_no_file_is_refused(path: Any):
    with pytest.raises(VerdictError, match=r"must be a verdict\.json; got "):
        read_verdict(path)
