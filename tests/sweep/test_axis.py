"""Studies along batch size, steps and depth: the same stages, the same verdict."""

import dataclasses
import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from mutransfer.analysis.verdict.judge import judge
from mutransfer.proxies import training as trials
from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan import estimate, next_trials
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.results import analyze, export
from mutransfer.sweep.results.analyze import Analysis
from mutransfer.sweep.results.question import question
from mutransfer.sweep.run import driver, gate
from mutransfer.sweep.spec.yaml_file import parse
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of
from tests.sweep.test_plan import play

AXES = {
    "batch_size": ("batch_sizes: [16, 32, 64]", "batch_size: 128", "sqrt_batch"),
    "steps": ("steps: [6, 12, 24]", "steps: 48", "horizon"),
    "depth": ("depths: [1, 2, 4]", "depth: 8", "completep"),
}
SHIFTS = {"sqrt_batch": 0.5, "horizon": -0.5, "completep": 0.0}


def text_of(axis: str, *, rule: bool = False, seeds: int = 3, **changes: str) -> str:
    ladder, target, name = AXES[axis]
    asked = f", rule: {name}, control: unscaled" if rule else ""
    pairs = {
        "transfer: {parameters: [lr], widths: [8, 16], points: 3": (
            f"transfer: {{axis: {axis}, parameters: [lr], {ladder}{asked}, points: 7"
        ),
        "seeds: 2, max_extend: 1}": f"seeds: {seeds}, max_extend: 2}}",
        "target: {width: 32, points: 3, seeds: 2": f"target: {{{target}, points: 7, seeds: {seeds}",
        "min: 2^-9, max: 2^-5": "min: 2^-10, max: 2^-4",
        **changes,
    }
    text = TINY
    for was, now in pairs.items():
        assert text.count(was) == 1, was
        text = text.replace(was, now)
    return text


def law(axis: str, drift: float, noise: float = 2e-4):
    """Loss whose best effective LR moves by ``drift`` octaves a doubling; what a rule does to the
    effective LR is read from the plan."""

    def loss(config) -> float:
        doublings = math.log2(
            config.axis_value(axis) / {"batch_size": 16, "steps": 6, "depth": 1}[axis]
        )
        # Under CompleteP the stream moves as in a model of base depth.
        scale = trials.factors(config)
        effective = math.log2(config.hps.lr * scale.lr) + math.log2(scale.residual)
        away = effective + 7.3 - drift * doublings
        rng = np.random.default_rng(
            [config.seed, int(1e9 * config.hps.lr), config.axis_value(axis)]
        )
        return 1 - 0.05 * doublings + 0.03 * away**2 + 1e-3 * config.seed + noise * rng.normal()

    return loss


@lru_cache
def analysis_of(text: str, axis: str, drift: float, noise: float = 2e-4) -> Analysis:
    """A whole study of a planted law, judged."""
    study = study_of(text)
    decisions, table, found = play(study, law(axis, drift, noise))
    assert found.finished
    asked = question(study, decisions)
    return Analysis(verdict=judge(table, asked), question=asked, table=table)


@pytest.mark.parametrize(
    "axis", ["batch_size", *(pytest.param(a, marks=pytest.mark.slow) for a in ("steps", "depth"))]
)
def test_a_planted_optimum_that_stays_passes_and_one_that_moves_fails(axis):
    stays = analysis_of(text_of(axis), axis, 0.0).verdict
    assert stays.verdict == "PASS", stays.sentence
    assert stays.of_hp("lr").drift_mup.estimate == pytest.approx(0.0, abs=0.1)
    moves = analysis_of(text_of(axis), axis, 0.6).verdict
    assert moves.verdict == "FAIL", moves.sentence
    assert moves.of_hp("lr").drift_mup.estimate == pytest.approx(0.6, abs=0.1)
    named = {"batch_size": "batch size 128", "steps": "48 steps", "depth": "depth 8"}[axis]
    assert named in stays.sentence and "width" not in stays.sentence + moves.sentence


def test_noise_alone_is_refused_along_another_axis_too():
    found = analysis_of(text_of("depth", seeds=2), "depth", 0.0, noise=0.2)
    assert found.verdict.verdict != "PASS"


@pytest.mark.parametrize(
    "axis", ["steps", *(pytest.param(a, marks=pytest.mark.slow) for a in ("batch_size", "depth"))]
)
def test_a_rule_that_fits_the_law_keeps_the_base_optimum_where_it_was_beside_its_control(axis):
    rule = AXES[axis][2]
    drift = SHIFTS[rule] if rule != "completep" else -1.0
    found = analysis_of(text_of(axis, rule=True), axis, drift).verdict
    entry = found.of_hp("lr")
    assert found.verdict == "PASS", found.sentence
    assert entry.drift_mup.estimate == pytest.approx(0.0, abs=0.1)
    assert entry.drift_sp.estimate == pytest.approx(drift, abs=0.1)
    assert entry.contrast.differs
    assert found.rule == rule and found.control == "unscaled"
    kept = [loss for loss in entry.alternatives if loss.name == "kept, without the rule"]
    assert kept and kept[0].in_loss[1] > 0


@pytest.mark.parametrize("axis", AXES)
def test_at_the_base_place_rule_and_control_are_one_trial(axis):
    study = study_of(text_of(axis, rule=True))

    def ids(axis_value):
        made = {"axis_value": axis_value, "hps": {"lr": 0.01}, "seed": 1}
        return {
            TrialRequest(config=trial(study, arm=arm, **made), asked_by="x").trial_id
            for arm in ("mup", "unscaled")
        }

    assert len(ids(study.search_at)) == 1
    assert len(ids(study.target_at)) == 2
    # Nor does asking for a rule change what the place without it is.
    plain = study_of(text_of(axis))
    one = trial(plain, axis_value=study.target_at, arm="mup", hps={"lr": 0.01}, seed=1)
    assert trials.identity(one) in ids(study.target_at)


@pytest.mark.parametrize("axis", AXES)
def test_a_trial_differs_from_the_base_in_its_place_alone(axis):
    study = study_of(text_of(axis))
    base, there = (
        trial(study, axis_value=p, arm="mup", hps={"lr": 0.01}, seed=1)
        for p in (study.search_at, study.target_at)
    )
    assert (base.axis_value(axis), there.axis_value(axis)) == (study.search_at, study.target_at)
    part = "model" if axis == "depth" else "train"
    changed = dataclasses.replace(getattr(there, part), **{axis: study.search_at})
    assert dataclasses.replace(there, **{part: changed}) == base


def at_steps(more: str) -> dict[str, str]:
    return {"axis: steps": f"{more}, axis: steps"}


BETAS = {
    "axis: b": "rule: {kind: sqrt_batch, scale_betas: true}, axis: b",
    "steps: 6, batch_size: 16": "steps: 6, batch_size: 16, betas: [0.8, 0.999]",
}
ODD = {
    "family: dit": "family: uvit",
    "depths: [1, 2, 4]": "rule: completep, depths: [1, 3]",
    "depth: 8": "depth: 5",
}
GAIN = {"rel_loss: 0.02": "share_of_width_gain: 0.1"}
# What is wrong, axis, change of the text, path of the fault, and a part of what it says.
FAULTS = [
    ("no ladder", "depth", {"depths: [1, 2, 4], ": ""}, "transfer", "`depths` is given"),
    ("two", "depth", {"depths: [1": "widths: [8], depths: [1"}, "transfer.widths", "alone"),
    ("other target", "steps", {"target: {steps": "target: {width"}, "target", "`steps`"),
    ("off the ladder", "steps", {"train: {steps: 6": "train: {steps: 7"}, "train.steps", "ladder"),
    ("order", "batch_size", {"16, 32, 64": "32, 16, 64"}, "transfer.batch_sizes", "ascending"),
    ("near", "batch_size", {"batch_size: 128": "batch_size: 16"}, "target.batch_size", "larger"),
    ("other rule", "steps", at_steps("rule: completep"), "transfer.rule", "axis depth"),
    ("no such rule", "steps", at_steps("rule: cube"), "transfer.rule", "sqrt_batch"),
    ("sp", "steps", at_steps("control: sp"), "transfer.control", "width"),
    ("no rule", "steps", at_steps("control: unscaled"), "transfer.control", "rule"),
    ("alpha", "steps", at_steps("rule: {kind: horizon, alpha: 0.5}"), "transfer.rule.alpha", "com"),
    ("betas", "batch_size", BETAS, "transfer.rule.scale_betas", "below 1"),
    ("warmup", "steps", {"init_std": "warmup_steps", "{value: 1}": "{value: 6}"},
     "parameters.warmup_steps", "6 steps"),
    ("even U-ViT", "depth", {"family: dit": "family: uvit"}, "transfer.depths.1", "odd"),
    ("CompleteP", "depth", ODD, "transfer.rule", "long skips"),
    ("gain of width", "depth", GAIN, "target.tolerance", "width"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "changes", "path", "words"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_faults_of_an_axis_say_where_and_what(axis, changes, path, words):
    text = text_of(axis)
    for was, now in changes.items():
        assert was in text, was
        text = text.replace(was, now, 1)
    with pytest.raises(SpecError) as raised:
        spec.read_file(parse(text, "sweeps.yaml"))
    told = [f for f in raised.value.faults if str(f.path) == f"studies.tiny.{path}"]
    assert told and any(words in str(fault) for fault in told), str(raised.value)


def test_the_cost_is_told_by_place_and_steps_cost_in_proportion():
    study = study_of(text_of("steps"))
    costs = {cost.stage: cost for cost in estimate.stages(study, {(16, 1, 16): 0.01})}
    assert costs["search"].axis_values == (6,) and costs["slices"].axis_values == (6, 12, 24)
    assert costs["target"].train_s == pytest.approx(costs["target"].n_trials * 48 * 0.01)
    per_trial = costs["target"].flops / costs["target"].n_trials
    assert per_trial == pytest.approx(8 * costs["search"].flops / costs["search"].n_trials)
    assert not gate.is_due(study)


def test_an_export_says_along_which_axis_and_carries_what_the_rule_scales(tmp_path):
    study = study_of(text_of("steps", rule=True))
    found = analysis_of(text_of("steps", rule=True), "steps", -0.5)
    store = Store(str(tmp_path))
    rundir.claim(store, study)
    axis_value = export.axis_value_of(study, None, None)
    best = export.export(found, study, store, axis_value)
    assert (best["axis"], best["verified_up_to"], best["verified_up_to_width"]) == (
        "steps",
        48,
        None,
    )
    assert best["valid_for"]["steps"] == 48 and best["width"] == 16
    assert best["plan"]["params"]["patch_embed.weight"]["lr_mult"] == pytest.approx(8**-0.5)
    beyond = export.export(found, study, store, 96)
    assert (
        beyond["verdict"] in ("EXTRAPOLATED", "NOT_SUPPORTED")
        and "96 steps" in beyond["verdict_text"]
    )
    with pytest.raises(UserError, match="along steps"):
        export.axis_value_of(study, 64, None)
    with pytest.raises(UserError, match="--width"):
        export.axis_value_of(study_of(TINY), None, None)


def test_a_run_directory_from_before_there_were_axes_goes_on(tmp_path):
    study, store = study_of(TINY), Store(str(tmp_path))
    rundir.claim(store, study)
    held = store.read_json(rundir.STUDY_FILE)
    for key in ("axis", "rule", "batch_sizes", "steps", "depths"):
        del held["spec"]["transfer"][key]
    for key in ("batch_size", "steps", "depth"):
        del held["spec"]["target"][key]
    store.write(json.dumps(held).encode(), rundir.STUDY_FILE)
    assert rundir.claim(store, study) == []
    along = study_of(text_of("depth"))
    with pytest.raises(UserError, match=r"transfer\.axis"):
        rundir.claim(store, dataclasses.replace(along, name=study.name))


def test_the_ladder_of_an_axis_may_grow(tmp_path):
    store = Store(str(tmp_path))
    rundir.claim(store, study_of(text_of("depth")))
    grown = study_of(text_of("depth").replace("[1, 2, 4]", "[1, 2, 3, 4]"))
    assert [change.path for change in rundir.claim(store, grown)] == ["transfer.depths"]
    assert next_trials.nominal(grown)


def test_a_study_along_depth_runs_from_search_to_report(tmp_path):
    text = text_of("depth", rule=True, seeds=2)
    for was, now in {
        "points: 7": "points: 3",
        "[1, 2, 4]": "[1, 2]",
        "depth: 8": "depth: 3",
    }.items():
        text = text.replace(was, now)
    study, store = study_of(text.replace("max_extend: 2", "max_extend: 0")), Store(str(tmp_path))
    rundir.claim(store, study)
    driver.run_inline(driver.State.load(study, store))
    table = store.table()
    assert set(table["status"]) <= {"done", "diverged"}, table["error"].tolist()
    assert set(table["depth"]) == {1, 2, 3} and set(table["arm"]) == {"mup", "unscaled"}
    found = analyze.analyze(study, store)
    assert found.verdict.verdict != "PASS"  # six steps prove nothing
    paths = analyze.write(analyze.material(study, store), store)
    assert all(Path(path).exists() for path in paths)
    page = store.read_bytes("report.html").decode()
    assert "depth 3" in page and "at each depth" in page and "completep" in page
    assert "SP (control)" not in page
