"""Features of a frozen encoder: a seeded random convolutional network, or the user's."""

import json

import pytest
import torch
from safetensors.torch import save_file

from mutransfer.proxies import data
from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data.features import random_conv
from mutransfer.proxies.errors import DataError


def images(n=40, size=16):
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, size, size), generator=rng, dtype=torch.uint8)


def test_tokens_lie_on_the_grid_of_patches_row_by_row():
    original = images()
    changed = original.clone()
    changed[0, :, 4:8, 12:16] = 0  # the patch in row 1 and column 3 of a grid of 4
    before, after = (random_conv(x, side=4, dim=8) for x in (original, changed))
    assert before.shape == (40, 16, 8) and before.dtype == torch.float32
    moved = (after[0] - before[0]).abs().amax(dim=1)
    assert moved.argmax() == 1 * 4 + 3
    far = [0, 8, 9, 12, 13]  # but for the common standardization nothing changes there
    assert moved[far].max() < 0.05 * moved.max()


def test_channels_are_standardized_so_that_no_constant_is_aligned():
    tokens = random_conv(images(), side=4, dim=8)
    assert tokens.mean(dim=(0, 1)).abs().max() < 0.01
    assert (tokens.std(dim=(0, 1)) - 1).abs().max() < 0.01
    cosine = torch.nn.functional.cosine_similarity(tokens[:20], tokens[20:], dim=-1)
    assert cosine.mean().abs() < 0.1


def test_the_encoder_is_frozen_and_does_not_depend_on_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = random_conv(images(), side=4, dim=8)
        torch.set_num_threads(2)
        torch.manual_seed(5)
        assert torch.equal(single, random_conv(images(), side=4, dim=8))
    finally:
        torch.set_num_threads(before)


def test_a_grid_that_does_not_divide_the_image_is_a_fault():
    with pytest.raises(DataError, match="feature_side divides the image side, 16"):
        data.load(OpenmojiConfig(features="random_conv", feature_side=5))


def test_the_users_features_are_found_by_name(tmp_path):
    names = data.load(OpenmojiConfig()).validation_texts()
    path = str(tmp_path / "features.safetensors")
    feature = torch.randn(len(names), 4, 6)
    save_file({"feature": feature}, path, metadata={"files": json.dumps(names)})
    with pytest.raises(DataError, match="1171 of 1463 are not there"):
        data.load(OpenmojiConfig(features=path))
