"""W&B's words: understood, or refused with the exact translation."""

import math

import pytest
from ruamel.yaml import YAML

from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.spec import space, wandb
from mutransfer.sweep.spec.reader import read_file
from mutransfer.sweep.spec.yaml_file import YamlFile
from tests.sweep.conftest import TINY, study_of
from tests.sweep.spec_faults import assert_fault

LR = "lr: {distribution: log_uniform_values, min: 2^-9, max: 2^-5}"
yaml = YAML(typ="safe").load


@pytest.mark.parametrize(
    ("name", "entry", "expected"),
    [
        ("weight_decay", {"min": 0.0, "max": 0.3}, space.Uniform(min=0, max=0.3)),
        ("lr", {"min": 0.01, "max": 0.03}, space.Uniform(min=0.01, max=0.03)),
        ("warmup_steps", {"min": 1, "max": 100}, space.Uniform(min=1, max=100)),
        (
            "warmup_steps",
            {"distribution": "int_uniform", "min": 0, "max": 9},
            space.Uniform(min=0, max=9),
        ),
        ("lr", {"distribution": "constant", "value": 0.1}, space.Constant(value=0.1)),
        ("lr", {"distribution": "categorical", "values": [0.1]}, space.Categorical(values=(0.1,))),
    ],
)
def test_what_means_the_same_is_read(name, entry, expected):
    assert space.read(name, entry) == (expected, [])


TRANSLATIONS = [
    (
        "lr",
        "{min: 0.001, max: 0.1}",
        "{distribution: log_uniform_values, min: 0.001, max: 0.1}",
    ),
    (
        "weight_decay",
        "{min: 0, max: 1}",
        "{distribution: uniform, min: 0.0, max: 1.0}",
    ),
    (
        "weight_decay",
        "{distribution: int_uniform, min: 0, max: 2}",
        "{values: [0, 1, 2]}",
    ),
    (
        "lr",
        "{distribution: log_uniform, min: -9, max: -2}",
        "{distribution: log_uniform_values, min: 0.00012341, max: 0.135335}",
    ),
    (
        "lr",
        "{distribution: inv_log_uniform_values, min: 0.01, max: 0.1}",
        "{distribution: log_uniform_values, min: 0.01, max: 0.1}",
    ),
    (
        "weight_decay",
        "{distribution: q_uniform, min: 0, max: 0.3, q: 0.1}",
        "{values: [0.0, 0.1, 0.2, 0.3]}",
    ),
    (
        "weight_decay",
        "{distribution: q_uniform, min: 0, max: 1, q: 0.001}",
        "{distribution: uniform, min: 0.0, max: 1.0}",
    ),
    (
        "lr",
        "{distribution: q_log_uniform_values, min: 0.01, max: 0.1, q: 0.01}",
        "{distribution: log_uniform_values, min: 0.01, max: 0.1}",
    ),
    (
        "weight_decay",
        "{distribution: normal, mu: 0.5, sigma: 0.1}",
        "{distribution: uniform, min: 0.3, max: 0.7}",
    ),
    (
        "lr",
        "{distribution: log_normal, mu: -5, sigma: 1}",
        "{distribution: log_uniform_values, min: 0.000911882, max: 0.0497871}",
    ),
    ("grad_clip", "{values: [null, 1.0]}", "values: [1000000000.0, 1.0]"),
]


@pytest.mark.parametrize(("name", "entry", "translation"), TRANSLATIONS)
def test_what_means_something_else_is_refused_with_a_translation_that_is_valid(
    name, entry, translation
):
    distribution, (fault,) = space.read(name, yaml(entry))
    assert distribution is None and translation in fault.remedy
    again, faults = space.read(name, yaml(translation))
    assert again is not None and faults == []


@pytest.mark.parametrize(
    ("name", "entry", "remedy"),
    [
        ("grad_clip", {"value": None}, "remove `grad_clip`"),
        ("weight_decay", {"values": [None, 0.1]}, "the value that switches it off, such as 0"),
        ("lr", {"values": [0.1, 0.2], "probabilities": [0.5, 0.5]}, "remove `probabilities`"),
        ("lr", {"values": [0.1, 0.1000000001]}, "remove the repeated ones"),
        ("warmup_steps", {"values": [1, 1]}, "remove the repeated ones"),
        ("lr", {"distribution": "log_uniform", "min": "a", "max": 9e99}, "log_uniform_values"),
        ("lr", {"distribution": "q_beta"}, "log2"),
    ],
)
def test_other_words_are_refused_with_what_to_do(name, entry, remedy):
    distribution, faults = space.read(name, entry)
    assert distribution is None and remedy in faults[0].remedy


def test_no_clipping_is_a_limit_that_changes_nothing():
    assert space.NO_CLIP >= 1e9 and math.isfinite(space.NO_CLIP)


def test_bayes_is_a_gaussian_process():
    assert study_of(TINY.replace("method: tpe", "method: bayes")).method == "gp"


@pytest.mark.parametrize(
    ("line", "path", "remedy"),
    [
        ("learning_rate: {log2: [-9, -4]}", "parameters.learning_rate", "write `lr: …`"),
        ("wd: {value: 0.1}", "parameters.wd", "write `weight_decay: …`"),
        ("batch_size: {values: [8, 16]}", "parameters.batch_size", "`train: {batch_size: …}`"),
        (
            "optimizer: {parameters: {lr: {value: 0.1}}}",
            "parameters.optimizer",
            "write lr directly below `parameters`",
        ),
        ("lrr: {value: 0.1}", "parameters.lrr", "did you mean 'lr'"),
    ],
)
def test_hps_by_other_names_are_refused_with_ours(line, path, remedy):
    assert_fault((LR, f"{LR}\n      {line}"), path, remedy)


@pytest.mark.parametrize("key", ["early_terminate", "run_cap", "program", "description"])
def test_keys_of_a_sweep_are_refused_with_what_they_are_here(key):
    assert_fault(("    method: tpe", f"    method: tpe\n    {key}: x"), key, wandb.SWEEP_KEYS[key])


def test_a_whole_sweep_file_is_told_in_one_sentence():
    file = YamlFile(name="sweep.yaml", data={"method": "bayes", "parameters": {}}, marks={})
    with pytest.raises(SpecError) as caught:
        read_file(file)
    (fault,) = caught.value.faults
    assert "studies: {NAME" in fault.remedy
