import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from mutransfer.proxies import data, user_code
from mutransfer.proxies.config.data import DigitsConfig, LatentsConfig
from mutransfer.proxies.config.model import DiTConfig
from mutransfer.proxies.config.trial import HPs, ObjectiveConfig, TrainConfig, TrialConfig
from tests.proxies import own_model

# Digits with features: how many, tokens along a side, features of a token.
N, GRID, N_FEATURES = 600, 2, 8

MODEL = DiTConfig(depth=2, head_dim=8, base_width=16, patch_size=4)
TRAIN = TrainConfig(steps=20, batch_size=8, n_val=1)
PARTS: dict[type, Any] = {
    DiTConfig: MODEL,
    TrainConfig: TRAIN,
    HPs: HPs(lr=2**-7),
    DigitsConfig: DigitsConfig(val_draws=1),
    ObjectiveConfig: ObjectiveConfig(),
}
NAMES = {
    DiTConfig: "model",
    TrainConfig: "train",
    HPs: "hps",
    DigitsConfig: "data",
    ObjectiveConfig: "objective",
}


@pytest.fixture(autouse=True, scope="session")
def own_code() -> None:
    """The user's code of these tests is theirs; `tests.proxies.test_user_code` has the control."""
    names = [*vars(own_model), "absent"]
    user_code.allow([*(f"{own_model.NAME}:{name}" for name in names), "own_data:build"])


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


def encoder(images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """The features of a convolutional classifier of digits, trained and frozen: (n, 8, 2, 2)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, N_FEATURES, 3, stride=2, padding=1),
        )
        head = nn.Linear(N_FEATURES * GRID**2, 10)
    optimizer = torch.optim.Adam([*features.parameters(), *head.parameters()], lr=0.01)
    for _ in range(150):
        scores = head(F.relu(features(images)).flatten(1))
        F.cross_entropy(scores, labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (scores.argmax(1) == labels).float().mean() > 0.9, "the encoder has learned digits"
    return features.requires_grad_(False)


@pytest.fixture(scope="session")
def featured(tmp_path_factory) -> LatentsConfig:
    """Digits with the encoder's features, and their class as a caption of one-hot tokens."""
    digits = data.load(DigitsConfig(label_dropout=0.0)).batch(0, 0, N)
    image, label = digits["image"], digits["label"]
    one_hot = F.one_hot(label, 10).float()
    tensors = {
        **digits,
        "caption": one_hot[:, None].repeat(1, 2, 1),
        "caption_mask": torch.ones(N, 2, dtype=torch.bool),
        "pooled": one_hot,
        "feature": encoder(image, label)(image).flatten(2).transpose(1, 2).contiguous(),
    }
    folder = tmp_path_factory.mktemp("features")
    save_file(tensors, folder / "0.safetensors")
    return LatentsConfig(
        path=str(folder),
        n_samples=N,
        n_validation=100,
        shape=(1, 8, 8),
        n_classes=10,
        caption=(2, 10),
        pooled=10,
        feature=(GRID**2, N_FEATURES),
        fingerprint="digits with features",
        val_draws=1,
    )
