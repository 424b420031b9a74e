import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from proxies.config import DataConfig, DiTConfig, HPs, ObjectiveConfig, TrainConfig, TrialConfig

MODEL = DiTConfig(depth=2, head_dim=8, base_width=16, patch_size=4)
TRAIN = TrainConfig(steps=20, batch_size=8, n_val=1)
PARTS: dict[type, Any] = {
    DiTConfig: MODEL,
    TrainConfig: TRAIN,
    HPs: HPs(lr=2**-7),
    DataConfig: DataConfig(val_draws=1),
    ObjectiveConfig: ObjectiveConfig(),
}
NAMES = {
    DiTConfig: "model",
    TrainConfig: "train",
    HPs: "hps",
    DataConfig: "data",
    ObjectiveConfig: "objective",
}


@pytest.fixture(scope="session")
def trial_of() -> Callable[..., TrialConfig]:
    """A tiny trial with the named options of any part of it changed."""

    def make(**changes: Any) -> TrialConfig:
        parts: dict[str, Any] = {}
        for part, default in PARTS.items():
            own = {f.name for f in dataclasses.fields(part)} & changes.keys()
            options = {name: changes.pop(name) for name in own}
            parts[NAMES[part]] = dataclasses.replace(default, **options)
        return TrialConfig(**parts, width=changes.pop("width", 16), **changes)

    return make
