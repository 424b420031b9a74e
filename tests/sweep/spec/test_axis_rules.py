"""Faults of the ladder, target, rule and control of an axis."""

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.spec.yaml_file import parse
from tests.sweep.axis_studies import text_of


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


# What is wrong, axis, change of the spec, path of the fault, and a part of its text.
FAULTS = [
    ("no ladder", "depth", {"depths: [1, 2, 4], ": ""}, "transfer", "`depths` is given"),
    ("two", "depth", {"depths: [1": "widths: [8], depths: [1"}, "transfer.widths", "alone"),
    ("other target", "steps", {"target: {steps": "target: {width"}, "target", "`steps`"),
    ("off the ladder", "steps", {"train: {steps: 6": "train: {steps: 7"}, "train.steps", "ladder"),
    ("order", "batch_size", {"16, 32, 64": "32, 16, 64"}, "transfer.batch_sizes", "ascending"),
    ("near", "batch_size", {"batch_size: 128": "batch_size: 16"}, "target.batch_size", "larger"),
    ("other rule", "steps", at_steps("rule: completep"), "transfer.rule", "axis depth"),
    ("of tables", "steps", {"axis: steps": "axis: params"}, "transfer.axis", "batch_size"),
    ("no such rule", "steps", at_steps("rule: cube"), "transfer.rule", "sqrt_batch"),
    ("sp", "steps", at_steps("control: sp"), "transfer.control", "width"),
    ("no rule", "steps", at_steps("control: unscaled"), "transfer.control", "rule"),
    ("alpha", "steps", at_steps("rule: {kind: horizon, alpha: 0.5}"), "transfer.rule.alpha", "com"),
    ("size off", "steps", at_steps("at: {7: {points: 9}}"), "transfer.at.7", "single values"),
    ("spacing", "steps", at_steps("at: {6: {spacing_log2: 0.3}}"), "transfer.at.6.spacing_log2",
     "share a lattice"),
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
def test_each_fault_of_an_axis_has_position_and_rule(axis, changes, path, words):
    text = text_of(axis)
    for was, now in changes.items():
        assert was in text, was
        text = text.replace(was, now, 1)
    with pytest.raises(SpecError) as raised:
        spec.read_file(parse(text, "sweeps.yaml"))
    at_path = [f for f in raised.value.faults if str(f.path) == f"studies.tiny.{path}"]
    assert at_path and any(words in str(fault) for fault in at_path), str(raised.value)
