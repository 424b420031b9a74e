"""The rules about HPs: which are given, which are sliced, and the ranges they need."""

import pytest

from tests.sweep.conftest import study_of
from tests.sweep.spec_faults import assert_fault, changed, faults_of

CASES = [
    ("sliced, not given", ("parameters: [lr]", "parameters: [lr, output_mult]"),
     "transfer.parameters.1", "add `output_mult`"),
    ("control not sliced", ("seeds: 2, max", "seeds: 2, control_parameters: [init_std], max"),
     "transfer.control_parameters.0", "add it"),
    ("doubled effect", ("init_std: {value: 1}",
                        "init_std: {value: 1}\n      init_std_hidden: {value: 1}"),
     "parameters.init_std_hidden", "remove"),
    ("long warmup", ("init_std: {value: 1}", "warmup_steps: {value: 6}"),
     "parameters.warmup_steps", "lower"),
    ("weight without projector", ("init_std: {value: 1}", "repa_weight: {value: 0.5}"),
     "parameters.repa_weight", "model.repa_block"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "remedy"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_each_fault_of_the_hps_has_position_rule_and_remedy(change, path, remedy):
    assert_fault(change, path, remedy)


LR = "lr: {distribution: log_uniform_values, min: 2^-9, max: 2^-5}"
INTEGER = (
    ("init_std: {value: 1}", "warmup_steps: {distribution: log_uniform_values, min: 1, max: 4}"),
    ("parameters: [lr]", "parameters: [warmup_steps]"),
)
# Changes without a fault; one more, which has one; a part of its message.
LIMITS = [
    ("lr is given", [("init_std: {value: 1}", "output_mult: {value: 1}")],
     (LR, "init_std: {value: 2}"), "add `lr"),
    ("sliced once", [], ("parameters: [lr]", "parameters: [lr, lr]"), "list each HP once"),
    ("on a log scale", [(LR, "lr: {value: 0.01}")],
     ("lr: {value: 0.01}", "lr: {values: [0.01, 0.02]}"), "varies on a log scale"),
    ("whole powers of two", INTEGER, ("refine: false", "refine: true"), "whole powers of two"),
    ("values of a grid", [("method: tpe", "method: grid")], ("trials: 4", "trials: 1"),
     "raise it to 2"),
    ("room between limits", [("max: 2^-5", "max: 2^-5, hard_min: 2^-9, hard_max: 2^-5")],
     ("points: 3, r", "points: 3, spacing_log2: 3, r"), "at least three lattice values"),
    ("the last of the values", [("init_std: {value: 1}", "warmup_steps: {values: [5, 0]}")],
     ("values: [5, 0]", "values: [6, 0]"), "shorter than the training of 6 steps"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "too_far", "text"), [case[1:] for case in LIMITS],
                         ids=[case[0] for case in LIMITS])  # fmt: skip
def test_a_rule_is_broken_just_beyond_its_limit(changes, too_far, text):
    study_of(changed(*changes))
    assert any(text in str(fault) for fault in faults_of(*changes, too_far))
