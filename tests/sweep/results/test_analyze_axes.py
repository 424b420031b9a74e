"""Studies along batch size, steps and depth, with planted laws, from plan to export."""

import pytest

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.results import export
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.axis_studies import AXES, SHIFTS, analysis_of, text_of
from tests.sweep.conftest import TINY, study_of


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


def test_noise_alone_does_not_pass_along_another_axis():
    analysis = analysis_of(text_of("depth", seeds=2), "depth", 0.0, noise=0.2)
    assert analysis.verdict.verdict != "PASS"


@pytest.mark.parametrize(
    "axis", ["steps", *(pytest.param(a, marks=pytest.mark.slow) for a in ("batch_size", "depth"))]
)
def test_a_rule_that_fits_the_law_keeps_the_base_optimum_and_its_control_does_not(axis):
    rule = AXES[axis][2]
    drift = SHIFTS[rule] if rule != "completep" else -1.0
    verdict = analysis_of(text_of(axis, rule=True), axis, drift).verdict
    entry = verdict.of_hp("lr")
    assert verdict.verdict == "PASS", verdict.sentence
    assert entry.drift_mup.estimate == pytest.approx(0.0, abs=0.1)
    assert entry.drift_sp.estimate == pytest.approx(drift, abs=0.1)
    assert entry.contrast.differs
    assert verdict.rule == rule and verdict.control == "unscaled"
    kept = [loss for loss in entry.alternatives if loss.name == "kept, without the rule"]
    assert kept and kept[0].in_loss[1] > 0


def test_an_export_names_the_axis_and_has_the_multipliers_of_the_rule(tmp_path):
    study = study_of(text_of("steps", rule=True))
    analysis = analysis_of(text_of("steps", rule=True), "steps", -0.5)
    store = Store(str(tmp_path))
    rundir.claim(store, study)
    axis_value = export.axis_value_of(study, None, None)
    best = export.export(analysis, study, store, axis_value)
    assert (best["axis"], best["verified_up_to"], best["verified_up_to_width"]) == (
        "steps",
        48,
        None,
    )
    assert best["valid_for"]["steps"] == 48 and best["width"] == 16
    assert best["plan"]["params"]["patch_embed.weight"]["lr_mult"] == pytest.approx(8**-0.5)
    beyond = export.export(analysis, study, store, 96)
    assert (
        beyond["verdict"] in ("PREDICTED", "NOT_SUPPORTED") and "96 steps" in beyond["verdict_text"]
    )
    with pytest.raises(UserError, match="along steps"):
        export.axis_value_of(study, 64, None)
    with pytest.raises(UserError, match="--width"):
        export.axis_value_of(study_of(TINY), None, None)
