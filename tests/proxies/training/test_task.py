"""Inputs and losses of a trial: drawn by seed and step alone; what is reported and minimized."""

import dataclasses
from contextlib import nullcontext

import pytest
import torch

from mutransfer.proxies import data
from mutransfer.proxies.models import custom
from mutransfer.proxies.training.task import CustomTask, DiffusionTask, task_of
from mutransfer.proxies.training.train import Training
from tests.proxies import own_model
from tests.proxies.data.image_folder import config, write
from tests.proxies.repa_trials import config_of, trained

CPU = torch.device("cpu")


def zero(x, t, condition):
    return torch.zeros_like(x)


@pytest.fixture
def with_features(tmp_path):
    """A folder of images with the features of a random network."""
    return config(write(tmp_path), features="random_conv", feature_side=2, val_draws=1)


@pytest.fixture
def own_trial(trial_of):
    """A trial of a user's own module on the digits."""

    def make(**changes):
        return dataclasses.replace(trial_of(**changes), model=own_model.config())

    return make


def tensors(inputs):
    batch, *others = inputs
    return [*batch.values(), *(part for part in others if isinstance(part, torch.Tensor))]


def are_equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(second), strict=True))


def test_inputs_are_drawn_by_seed_and_step_and_shared_by_widths_arms_and_hps(trial_of):
    first = task_of(trial_of(), zero, CPU).inputs(3)
    torch.manual_seed(123)
    for other in (trial_of(), trial_of(width=32, arm="sp", lr=1.0), trial_of(steps=5)):
        assert are_equal(task_of(other, zero, CPU).inputs(3), first)
    assert not are_equal(task_of(trial_of(), zero, CPU).inputs(4), first)
    assert not are_equal(task_of(trial_of(seed=1), zero, CPU).inputs(3), first)


def test_the_zero_predictor_has_the_trivial_losses_and_another_has_not(trial_of):
    task = task_of(trial_of(), zero, CPU)
    inputs = task.inputs(0)
    reported, minimized = task.losses(inputs)
    assert reported == minimized == task.trivial_loss(inputs)
    assert task.val_loss(zero, nullcontext()) == task.trivial_val_loss
    copies = task_of(trial_of(), lambda x, t, condition: x, CPU)
    assert copies.losses(inputs)[0] != copies.trivial_loss(inputs)


def test_losses_that_are_reported_are_of_diffusion_alone(with_features):
    one_step = {"steps": 1, "log_every": 1}
    heavy = trained(config_of(with_features, weight=100.0, **one_step)).result()
    none = trained(config_of(with_features, block=None, **one_step)).result()
    assert heavy.init_val_loss == none.init_val_loss
    assert heavy.curve[0]["train_loss"] == none.curve[0]["train_loss"]
    assert heavy.curve[0]["grad_norm"] > none.curve[0]["grad_norm"]


def test_the_weighted_alignment_is_minimized_and_not_reported(with_features):
    extra = []
    for weight in (0.0, 0.5, 1.0):
        run = Training(config_of(with_features, weight=weight))
        reported, minimized = run.task.losses(run.task.inputs(0))
        assert torch.equal(reported, reported_of(with_features))
        extra.append((minimized - reported).item())
    assert extra[0] == 0 and extra[2] != 0
    assert extra[2] == pytest.approx(2 * extra[1], rel=1e-4)


def reported_of(with_features):
    """The loss of the same model without a projector."""
    run = Training(config_of(with_features, block=None))
    return run.task.losses(run.task.inputs(0))[0]


def test_a_users_loss_is_reported_and_minimized_and_has_no_trivial_predictor(own_trial, trial_of):
    model = own_model.sound(8)
    task = task_of(own_trial(), model, CPU)
    assert isinstance(task, CustomTask)
    assert isinstance(task_of(trial_of(), zero, CPU), DiffusionTask)
    inputs = task.inputs(3)
    reported, minimized = task.losses(inputs)
    expected = custom.losses(own_model.config(), model, inputs[0], "noise", 0, 3).mean()
    assert reported == minimized == expected
    assert task.losses(task.inputs(4))[0] != reported
    assert task.trivial_val_loss is None and task.trivial_loss(inputs) is None


def test_a_users_validation_is_the_mean_over_all_samples_and_draws_whatever_the_seed(own_trial):
    model = own_model.sound(8)

    def val_loss(**changes):
        return task_of(own_trial(**changes), model, CPU).val_loss(model, nullcontext())

    assert val_loss() == val_loss(seed=1, lr=1.0)
    model_config, samples = own_model.config(), data.load(own_trial().data).validation()
    by_hand = [
        custom.losses(model_config, model, samples, "validation", d, 0).mean() for d in range(2)
    ]
    assert len(samples["image"]) == 360, "one chunk"
    assert val_loss(val_draws=2) == pytest.approx(sum(by_hand).item() / 2, rel=1e-5)
    assert val_loss(val_draws=2) != pytest.approx(by_hand[0].item(), rel=1e-5)
