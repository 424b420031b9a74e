"""A trial's configuration: plain data and back, constraints of fields, rounding of HPs."""

import json
from typing import Annotated, Any, get_type_hints

import pytest
from annotated_types import Ge
from pydantic import BaseModel, TypeAdapter, ValidationError

from mutransfer.proxies.config.trial import HPs, TrainConfig, TrialConfig
from mutransfer.proxies.errors import ConfigError

ADAPTER = TypeAdapter(TrialConfig)


def test_pydantic_reads_a_trial_and_fills_in_the_defaults(trial_of):
    plain = {
        "model": {"depth": 2, "head_dim": 8, "base_width": 16, "patch_size": 4},
        "data": {"val_draws": 1},
        "train": {"steps": 20, "batch_size": 8, "n_val": 1},
        "hps": {"lr": 2**-7},
        "width": 16,
    }
    assert ADAPTER.validate_python(plain) == trial_of()


@pytest.mark.parametrize(
    "path", [(), ("model",), ("data",), ("objective",), ("train",), ("hps",)], ids=".".join
)
def test_unknown_keys_are_refused_everywhere(trial_of, path):
    plain = trial_of().to_dict()
    ADAPTER.validate_python(plain)
    node: Any = plain
    for key in path:
        node = node[key]
    node["typo"] = 1
    with pytest.raises(ValidationError, match="typo"):
        ADAPTER.validate_python(plain)
    with pytest.raises(ConfigError, match="typo"):
        TrialConfig.from_dict(plain)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("model", "depth", 0),
        ("model", "adaln", "one"),
        ("model", "embedding_std", 0),
        ("data", "label_dropout", 1),
        ("data", "source", "numbers"),
        ("objective", "n_timesteps", 1),
        ("train", "steps", 0),
        ("train", "decay_frac", 0),
        ("train", "ema_frac", 1.5),
        ("train", "betas", [0.9, 1.0]),
        ("train", "eps", float("inf")),
        ("hps", "lr", 0),
        ("hps", "weight_decay", -0.1),
        ("hps", "warmup_steps", -1),
        ("hps", "grad_clip", 0),
        ("hps", "repa_weight", -0.1),
    ],
)
def test_constraints_are_enforced_when_a_spec_embeds_the_classes(trial_of, part, key, value):
    plain = trial_of().to_dict()
    plain[part][key] = value
    with pytest.raises(ValidationError, match=key):
        ADAPTER.validate_python(plain)


def test_the_classes_work_inside_a_pydantic_model():
    class Study(BaseModel):
        train: TrainConfig
        seeds: Annotated[int, Ge(1)]

    study = Study.model_validate({"train": {"steps": 1, "batch_size": 2}, "seeds": 1})
    assert study.train == TrainConfig(steps=1, batch_size=2)


def test_plain_data_round_trips_through_json(trial_of):
    config = trial_of(grad_clip=0.5, betas=(0.8, 0.95), ema_frac=0.1, kind="ddpm", arm="sp")
    plain = json.loads(json.dumps(config.to_dict()))
    assert TrialConfig.from_dict(plain) == config
    assert TrialConfig.from_dict(plain) != trial_of()


def test_a_missing_part_is_named(trial_of):
    plain = trial_of().to_dict()
    del plain["hps"]
    with pytest.raises(ConfigError, match="hps"):
        TrialConfig.from_dict(plain)


def test_hps_are_rounded_to_six_digits_and_no_more():
    assert HPs(lr=0.1234564, init_std=1) == HPs(lr=0.1234560001)
    assert HPs(lr=0.1234564).lr == 0.123456
    assert HPs(lr=0.123456) != HPs(lr=0.123457)
    assert HPs(lr=1).lr == 1.0 and isinstance(HPs(lr=1).lr, float)


def test_hps_are_those_of_the_plan_and_the_others():
    hps = HPs(lr=1.0)
    assert hps.of_plan().keys() | hps.outside_plan().keys() == get_type_hints(HPs).keys() - {
        "__pydantic_config__"
    }
    assert not hps.of_plan().keys() & hps.outside_plan().keys()
    outside = {"lr", "weight_decay", "warmup_steps", "grad_clip", "repa_weight", "adamw_lr"}
    assert set(hps.outside_plan()) == outside


def test_points_of_the_curve_follow_the_length_unless_they_are_set():
    assert TrainConfig(steps=1000, batch_size=1).steps_per_log == 20
    assert TrainConfig(steps=10, batch_size=1).steps_per_log == 1
    assert TrainConfig(steps=1000, batch_size=1, log_every=7).steps_per_log == 7
