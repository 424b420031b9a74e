"""Samples beside real images: the same conditions, the validated weights."""

import dataclasses

import pytest
import torch

from mutransfer.proxies.training.samples import sample_pairs
from mutransfer.proxies.training.train import Training


@pytest.fixture(scope="module")
def trained(trial_of):
    training = Training(trial_of(steps=40, ema_frac=0.1))
    for _ in training.run():
        pass
    return training


def test_a_pair_shows_a_validation_image_and_a_sample_of_its_condition(trained):
    pairs = sample_pairs(trained, 6)
    assert pairs.real.shape == pairs.drawn.shape == (6, 8, 8, 1)
    assert pairs.real.dtype == pairs.drawn.dtype == torch.uint8
    samples = trained.task.data.validation()
    for text, real in zip(pairs.texts, pairs.real, strict=True):
        image = real.permute(2, 0, 1).float() / 127.5 - 1
        rows = (samples["image"] - image).abs().amax(dim=(1, 2, 3)) < 0.01
        assert text in {f"class {label}" for label in samples["label"][rows].tolist()}


def test_samples_are_the_same_each_time_and_of_the_averaged_weights(trained):
    first = sample_pairs(trained, 4)
    assert torch.equal(sample_pairs(trained, 4).drawn, first.drawn)
    raw = Training(trained.config)
    raw.model.load_state_dict(trained.model.state_dict())
    assert not torch.equal(sample_pairs(raw, 4).drawn, first.drawn)


def test_sampling_leaves_the_weights_as_they_were(trained):
    before = [p.detach().clone() for p in trained.model.parameters()]
    sample_pairs(trained, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, trained.model.parameters(), strict=True))


def test_data_that_are_not_images_have_no_samples(trained, monkeypatch):
    info = dataclasses.replace(trained.task.data.info, shape=(4, 8, 8))
    monkeypatch.setattr(trained.task.data, "info", info)
    assert sample_pairs(trained) is None
