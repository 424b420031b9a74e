"""A spec is read as studies, or all of its faults are reported together."""

import json

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.yaml_file import parse
from tests.sweep.conftest import TINY
from tests.sweep.spec_faults import assert_fault, faults_of


def test_a_study_is_read_with_its_defaults(tiny):
    assert tiny.search.trials == 4
    assert tiny.transfer.spacing_log2 == 1.0
    assert tiny.control_parameters == ("lr",)
    assert tiny.parameters["lr"] == space.LogUniform(min=2**-9, max=2**-5)
    assert (tiny.target.tolerance.kind, tiny.target.tolerance.value) == ("rel_loss", 0.02)


def test_the_resolved_study_is_plain_data_and_comes_back_equal(tiny):
    plain = json.loads(json.dumps(tiny.resolved()))
    assert spec.from_resolved(plain) == tiny


def test_the_shipped_spec_has_no_faults(request):
    studies = spec.read(request.config.rootpath / "sweeps.yaml")
    assert {"digits-dit", "digits-dit-full", "smoke"} <= set(studies)


CASES = [
    ("unknown key", ("steps: 6", "stepz: 6"), "train.stepz", "did you mean 'steps'"),
    ("key not given", ("steps: 6", "stepz: 6"), "train", "add `steps"),
    ("unknown section", ("method: tpe", "methods: tpe"), "methods", "did you mean 'method'"),
    ("wrong type", ("steps: 6", "steps: many"), "train.steps", "correct"),
    ("text for a number", ("steps: 6", "steps: '6'"), "train.steps", "correct"),
    ("out of range", ("steps: 6", "steps: 0"), "train.steps", "correct"),
    ("not finite", ("val_draws: 1", "val_draws: .nan"), "data.val_draws", "correct"),
    ("unknown family", ("family: dit", "family: dot"), "model.family", "did you mean 'dit'"),
    ("unknown data", ("source: digits", "source: digit"), "data.source", "did you mean 'digits'"),
    ("unknown method", ("method: tpe", "method: bohb"), "method", "correct"),
    ("ladder order", ("widths: [8, 16]", "widths: [16, 8]"), "transfer.widths", "ascending"),
    ("search off the ladder", ("widths: [8, 16]", "widths: [8, 24]"), "search.width", "add 16"),
    ("narrow target", ("{width: 32, c", "{width: 16, c"), "target.width", "raise"),
    ("empty range", ("max: 2^-5", "max: 2^-9"), "parameters.lr.max", "swap"),
    ("W&B's exponents", ("log_uniform_values", "log_uniform"), "parameters.lr.distribution",
     "log_uniform_values"),
    ("negative lr", ("min: 2^-9", "min: -1"), "parameters.lr.min", "sign"),
    ("key of a range", ("max: 2^-5", "maxx: 2^-5"), "parameters.lr.maxx", "known here"),
    ("unknown HP", ("init_std: {value", "init_stdd: {value"), "parameters.init_stdd", "init_std"),
    ("two tolerances", ("rel_loss: 0.02", "rel_loss: 0.02, abs_loss: 1"), "target.tolerance",
     "e.g."),
    ("no tolerance", ("{rel_loss: 0.02}", "{}"), "target.tolerance", "e.g."),
    ("large eps", ("steps: 6", "steps: 6, eps: 1e-8"), "train.eps", "1e-12"),
    ("tight limits", ("max: 2^-5", "max: 2^-5, hard_min: 2^-9, hard_max: 2^-8"),
     "parameters.lr.hard_max", "raise"),
    ("huge count", ("steps: 6", "steps: 10^10"), "train.steps", "1000000000"),
    ("huge width", ("widths: [8, 16]", "widths: [8, 16, 10^9]"), "transfer.widths.2", "1000000"),
    ("huge depth", ("depth: 1,", "depth: 10^6,"), "model.depth", "4000"),
    ("huge points", ("slices, points: 3", "slices, points: 10^8"), "target", "100,000"),
    ("huge search", ("trials: 4", "trials: 10^8"), "search.trials", "100,000"),
    ("huge slices", ("points: 3, refine", "points: 10^5, refine"), "transfer", "100,000"),
    ("huge ratio", ("patch_size: 4", "patch_size: 4, mlp_ratio: 1e300"), "model.mlp_ratio", "1000"),
    ("version", ("version: 1", "version: 2"), "version", "version: 1"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "remedy"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_each_fault_has_position_rule_and_remedy(change, path, remedy):
    assert_fault(change, path, remedy)


def test_all_faults_are_reported_together_in_the_order_of_the_file():
    faults = faults_of(
        ("depth: 1", "depth: x"), ("steps: 6", "stepz: 6"), ("min: 2^-9", "min: -1"),
        ("widths: [8, 16]", "widths: [16, 8]"), ("rel_loss: 0.02", "rel_loss: -1"),
    )  # fmt: skip
    assert len(faults) >= 5
    assert [f.line for f in faults] == sorted(f.line for f in faults)


def test_an_unknown_study_is_named_with_the_most_similar_one():
    with pytest.raises(UserError, match="did you mean 'tiny'"):
        spec.read_file(parse(TINY, "x"), ("tinny",))


@pytest.mark.parametrize("text", ["version: 1\n", "version: 1\nstudies: []\n",
                                  "version: 1\nstudies: {a: 1}\n",
                                  "version: 1\nstudies: {'../up': {}}\n"])  # fmt: skip
def test_files_without_a_study_are_refused(text):
    with pytest.raises(SpecError):
        spec.read_file(parse(text, "x"))
