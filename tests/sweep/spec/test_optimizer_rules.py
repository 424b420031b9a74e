"""The optimizer of a spec: by name or with options, each of which acts."""

import pytest

from tests.sweep.conftest import study_of
from tests.sweep.spec_faults import assert_fault, changed

TRAIN = "train: {"


def with_optimizer(text):
    return (TRAIN, f"{TRAIN}optimizer: {text}, ")


CASES = [
    ("no rule", with_optimizer("adafactor"), "train.optimizer", "'muon'"),
    ("muon's alone", with_optimizer("{name: sgd, adamw_lr: 0.1}"),
     "train.optimizer.adamw_lr", "remove it"),
    ("no momentum", with_optimizer("{name: lion, momentum: 0.9}"),
     "train.optimizer.momentum", "remove it"),
    ("an LR of no part", ("init_std: {value: 1}", "adamw_lr: {value: 0.1}"),
     "parameters.adamw_lr", "remove it"),
    ("unknown", with_optimizer("{name: sgd, beta: 0.9}"), "train.optimizer.beta", "remove it"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "remedy"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_each_fault_of_the_optimizer_has_position_rule_and_remedy(change, path, remedy):
    assert_fault(change, path, remedy)


@pytest.mark.parametrize("name", ["adamw", "adam", "lion", "sgd", "muon"])
def test_an_optimizer_is_given_by_its_name_or_in_full(name):
    short, full = (study_of(changed(with_optimizer(text))) for text in (name, f"{{name: {name}}}"))
    assert short.train.optimizer.name == name and short.train == full.train
    assert study_of(changed()).train.optimizer.name == "adamw"


def test_adam_with_weight_decay_is_a_fault():
    decay = ("init_std: {value: 1}", "weight_decay: {value: 0.1}")
    study_of(changed(decay))
    with pytest.raises(Exception, match="take adamw"):
        study_of(changed(with_optimizer("adam"), decay))


def test_the_base_lr_of_adamws_part_is_given_once():
    searched = ("init_std: {value: 1}", "adamw_lr: {log2: [-9, -5]}")
    assert "adamw_lr" in study_of(changed(with_optimizer("muon"), searched)).parameters
    assert study_of(changed(with_optimizer("{name: muon, adamw_lr: 0.1}")))
    with pytest.raises(Exception, match="not both"):
        study_of(changed(with_optimizer("{name: muon, adamw_lr: 0.1}"), searched))
