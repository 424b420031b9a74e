"""The validation loss of a trial."""

from contextlib import nullcontext

import pytest
import torch

from mutransfer.proxies import data, diffusion
from mutransfer.proxies.config.data import DigitsConfig
from mutransfer.proxies.config.trial import ObjectiveConfig
from mutransfer.proxies.training import validation
from mutransfer.proxies.training.validation import Validation

CONFIG = DigitsConfig(val_draws=2)


def validation_set():
    objective = diffusion.objective(ObjectiveConfig())
    return Validation(CONFIG, data.load(CONFIG), objective, torch.device("cpu"))


def zero(x, t, condition):
    return torch.zeros_like(x)


def copy_of_input(x, t, condition):
    return x


def test_the_zero_predictor_has_the_trivial_loss_and_another_has_not():
    fixed = validation_set()
    assert fixed.loss(zero, nullcontext()) == fixed.trivial_loss
    assert fixed.loss(copy_of_input, nullcontext()) != pytest.approx(fixed.trivial_loss, rel=0.01)


def test_the_loss_does_not_depend_on_the_size_of_chunks(monkeypatch):
    fixed = validation_set().loss(copy_of_input, nullcontext())
    monkeypatch.setattr(validation, "CHUNK", 7)
    assert validation_set().loss(copy_of_input, nullcontext()) == pytest.approx(fixed, rel=1e-6)
