"""Each constraint across fields names its own fault, and a consistent configuration has none."""

import dataclasses

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.constraints import trial_faults
from mutransfer.proxies.config.model import (
    DiTConfig,
    MMDiTConfig,
    PixArtConfig,
    UViTConfig,
)
from mutransfer.proxies.config.trial import HPs, ObjectiveConfig, TrainConfig

DIGITS = DataInfo(shape=(1, 8, 8), n_classes=10)

MODEL = DiTConfig(depth=1, head_dim=8, base_width=16, patch_size=2)

FLOW = ObjectiveConfig()

TRAIN = TrainConfig(steps=10, batch_size=4)


def paths(model=MODEL, objective=FLOW, widths=(16, 32), hps=None, info=DIGITS):
    broken = trial_faults(model, objective, TRAIN, widths=widths, info=info, hps=hps)
    return [".".join(fault.path) for fault in broken]


def test_a_consistent_configuration_has_no_faults():
    assert paths(hps=HPs(lr=1, warmup_steps=9)) == []


def test_each_broken_rule_is_reported_at_its_path():
    change = dataclasses.replace
    assert paths(widths=(16, 20)) == ["width"]
    assert paths(change(MODEL, base_width=12)) == ["model.base_width"]
    assert paths(change(MODEL, head_dim=2, base_width=6), widths=(8,)) == ["model.base_width"]
    assert paths(change(MODEL, patch_size=3)) == ["model.patch_size"]
    assert paths(info=DataInfo(shape=(3, 8, 4), n_classes=10)) == ["data"]
    assert paths(change(MODEL, mlp_ratio=2.3), widths=()) == ["model.base_width"]
    assert paths(change(MODEL, learn_sigma=True)) == ["model.learn_sigma"]
    ddpm = ObjectiveConfig(kind="ddpm", t_distribution="logit_normal")
    assert paths(change(MODEL, learn_sigma=True), ddpm) == ["objective.t_distribution"]
    assert paths(hps=HPs(lr=1, warmup_steps=10)) == ["hps.warmup_steps"]
    assert paths(hps=HPs(lr=1, repa_weight=0.5)) == ["hps.repa_weight"]
    assert paths(change(MODEL, repa_block=0)) == ["model.repa_block"], "digits have no features"
    parts = {"depth": 2, "head_dim": 8, "base_width": 16, "patch_size": 2}
    assert paths(UViTConfig(**parts)) == ["model.depth"]
    assert paths(PixArtConfig(**parts)) == paths(MMDiTConfig(**parts)) == ["data"]


def test_all_faults_are_reported_together_as_sentences():
    model = dataclasses.replace(MODEL, patch_size=3)
    broken = trial_faults(model, FLOW, TRAIN, widths=(20, 28), info=DIGITS)
    assert [fault.got for fault in broken] == [20, 28, 3]
    assert str(broken[0]) == "width: a width is a multiple of head_dim = 8; got 20; take 16 or 24"
