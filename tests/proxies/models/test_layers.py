"""Layers that the families share."""

import torch

from mutransfer.proxies.models import layers


def test_cutting_and_joining_patches_are_inverse():
    x = torch.randn(2, 3, 8, 8)
    cut = layers.patchify(x, 4)
    assert cut.shape == (2, 4, 48)
    assert torch.equal(cut[1, 2].view(3, 4, 4), x[1, :, 4:, :4])
    assert torch.equal(layers.unpatchify(cut, 3, 4), x)


def test_time_features_are_closer_for_closer_times():
    embed = layers.TimeEmbedder(16)
    a, b, c = embed(torch.tensor([100.0, 101.0, 900.0]))
    assert 0 < (a - b).norm() < (a - c).norm()
