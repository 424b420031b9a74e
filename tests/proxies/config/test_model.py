"""The options of each family: plain data and back, and what a family does not have."""

import dataclasses
import json

import pytest
from pydantic import TypeAdapter, ValidationError

from mutransfer.proxies.config.model import (
    MODEL_CONFIGS,
    CustomConfig,
    ModelConfig,
    learns_sigma,
    repa_block,
)
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.models.build import FAMILIES

PARTS = {"depth": 3, "head_dim": 8, "base_width": 16, "patch_size": 4}
OWN = {"build": "own:build", "loss": "own:loss", "base_width": 16}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_round_trips_through_plain_data(trial_of, family):
    config = dataclasses.replace(trial_of(), model=MODEL_CONFIGS[family](**PARTS))
    plain = json.loads(json.dumps(config.to_dict()))
    assert TrialConfig.from_dict(plain) == config == TypeAdapter(TrialConfig).validate_python(plain)
    assert plain["model"]["family"] == family


def test_a_configuration_is_of_the_family_that_names_it():
    for family, model_class in MODEL_CONFIGS.items():
        assert model_class(**(OWN if family == "custom" else PARTS)).family == family


def test_an_option_of_another_family_is_refused():
    adapter = TypeAdapter(MODEL_CONFIGS["uvit"])
    assert adapter.validate_python(PARTS | {"conv": False}).conv is False
    with pytest.raises(ValidationError, match="qk_norm"):
        adapter.validate_python(PARTS | {"qk_norm": False})
    with pytest.raises(ValidationError, match="repa_block"):
        TypeAdapter(MODEL_CONFIGS["dit"]).validate_python(PARTS | {"repa_block": -1})


def test_the_users_roles_are_hashed_and_later_changes_do_not_reach_them():
    roles = {"mix": "hidden"}
    first, second = (CustomConfig(**OWN, roles=dict(roles)) for _ in range(2))
    given = CustomConfig(**OWN, roles=roles)
    roles["mix"] = "input"
    assert first == second == given and len({first, second, given}) == 1
    assert first != CustomConfig(**OWN, roles=roles)
    assert first.references == ("own:build", "own:loss")


def test_only_some_models_have_a_projector_or_variances():
    with_projector = {"repa_block": 0}
    for family in FAMILIES:
        plain = MODEL_CONFIGS[family](**PARTS)
        has_projector = family in ("dit", "mmdit")
        own = MODEL_CONFIGS[family](**PARTS, **with_projector if has_projector else {})
        assert repa_block(own) == (0 if has_projector else None) and repa_block(plain) is None
        assert learns_sigma(dataclasses.replace(plain, learn_sigma=True))
        assert not learns_sigma(plain)
    own: ModelConfig = CustomConfig(**OWN)
    assert repa_block(own) is None and not learns_sigma(own)
