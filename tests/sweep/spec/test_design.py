"""Designs that cannot PASS are valid and warned of; others are not."""

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.spec import design
from tests.sweep.conftest import TINY, study_of

GOOD = TINY.replace("widths: [8, 16], points: 3", "widths: [8, 16, 24], points: 5").replace(
    "slices, points: 3", "slices, points: 5"
)
SEEDS_OF_TARGET = "points: 5, seeds: 2, tolerance"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("seeds: 2, max_extend", "seeds: 1, max_extend", "transfer.seeds"),
        (
            "seeds: 2, max_extend",
            "at: {16: {seeds: 1}}, seeds: 2, max_extend",
            "transfer.at.16.seeds",
        ),
        (SEEDS_OF_TARGET, "points: 5, seeds: 1, tolerance", "target.seeds"),
        (SEEDS_OF_TARGET, "points: 4, seeds: 2, tolerance", "target.points"),
        ("widths: [8, 16, 24]", "widths: [8, 16]", "transfer.widths"),
        ("rel_loss: 0.02", "rel_loss: 0.5", "target.tolerance.rel_loss"),
        (
            "rel_loss: 0.02",
            "share_of_width_gain: 0.9",
            "target.tolerance.share_of_width_gain",
        ),
    ],
)
def test_a_design_that_cannot_pass_is_warned_of_by_its_key(old: str, new: str, path: str):
    assert old in GOOD and design.warnings(study_of(GOOD)) == []
    (warning,) = design.warnings(study_of(GOOD.replace(old, new)))
    assert ".".join(map(str, warning.path)) == path and warning.rule and warning.remedy


def test_a_star_has_neither_values_nor_seeds_that_are_too_few():
    star = GOOD.replace("check: slices, points: 5, seeds: 2", "check: star")
    assert star != GOOD and design.warnings(study_of(star)) == []
    (warning,) = design.warnings(study_of(star.replace("seeds: 2, max", "seeds: 1, max")))
    assert warning.path == ("transfer", "seeds")


@pytest.mark.parametrize(("n", "is_warned"), [(2, True), (4, False)])
def test_a_space_of_fewer_points_than_trials_is_warned_of(n: int, is_warned: bool):
    lr = "lr: {distribution: log_uniform_values, min: 2^-9, max: 2^-5}"
    init_std = "init_std: {value: 1}"
    assert lr in GOOD and init_std in GOOD
    values = f"init_std: {{values: {[*range(1, n + 1)]}}}"
    listed = GOOD.replace(lr, "lr: {value: 0.01}").replace(init_std, values)
    found = [".".join(warning.path) for warning in design.warnings(study_of(listed))]
    assert (found == ["search.trials"]) == is_warned


def test_an_absolute_tolerance_has_no_scale_to_be_judged_by():
    assert design.warnings(study_of(GOOD.replace("rel_loss: 0.02", "abs_loss: 0.9"))) == []


def test_of_the_shipped_studies_only_those_that_are_not_for_a_verdict_are_warned_of(request):
    studies = spec.read(request.config.rootpath / "sweeps.yaml")
    warned = {name for name, study in studies.items() if design.warnings(study)}
    assert warned == {"digits-dit-convergence"}
