"""DiT: its block by hand, and what its prediction depends on."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from mutransfer.proxies import models
from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.model import DiTConfig

MODEL = DiTConfig(depth=2, head_dim=8, base_width=16, patch_size=4)

INFO = DataInfo(shape=(3, 8, 8), n_classes=10)


def built(width=32, **changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return models.build(dataclasses.replace(MODEL, **changes), width, INFO)


def inputs(n=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    image = torch.randn(n, 3, 8, 8, generator=rng)
    return image, 1000 * torch.rand(n, generator=rng), {"label": torch.arange(n)}


def test_the_prediction_has_the_shape_of_the_image_or_twice_its_channels():
    assert built()(*inputs()).shape == (5, 3, 8, 8)
    assert built(learn_sigma=True)(*inputs()).shape == (5, 6, 8, 8)


def test_a_zero_readout_predicts_zero_at_initialization_and_another_does_not():
    assert not built()(*inputs()).any()
    assert built(zero_readout=False)(*inputs()).std() > 0.1


def test_a_zero_adaln_block_is_the_identity_at_initialization_and_a_fan_in_one_is_not():
    tokens, condition = torch.randn(2, 4, 32), torch.randn(2, 32)
    assert torch.equal(built(adaln="zero").blocks[0](tokens, condition), tokens)
    change = built().blocks[0](tokens, condition) - tokens
    assert change.std() > 0.1


def test_the_prediction_depends_on_image_time_and_label_of_its_own_sample_alone():
    model = built(zero_readout=False)
    image, time, label = inputs()
    out = model(image, time, label)
    for k, changed in enumerate(([image.clone(), time, label], [image, time + 50, label])):
        if k == 0:
            changed[0][0] += 1
            others = model(*changed)[1:]
            torch.testing.assert_close(others, out[1:], rtol=1e-4, atol=1e-5)
        assert (model(*changed)[0] - out[0]).abs().max() > 1e-3
    other = model(image, time, {"label": (label["label"] + 1) % 10})
    assert (other - out).abs().amax(dim=(1, 2, 3)).min() > 1e-3


def test_positions_break_the_symmetry_of_patches():
    model = built(zero_readout=False)
    image, time, label = inputs(1)
    swapped = torch.cat([image[..., 4:], image[..., :4]], dim=-1)
    out = model(image, time, label)
    moved = torch.cat([out[..., 4:], out[..., :4]], dim=-1)
    assert (model(swapped, time, label) - moved).abs().max() > 1e-2
    model.pos_TD.zero_()
    out = model(image, time, label)
    moved = torch.cat([out[..., 4:], out[..., :4]], dim=-1)
    torch.testing.assert_close(model(swapped, time, label), moved, rtol=1e-4, atol=1e-5)


def test_the_block_is_attention_and_mlp_between_modulated_norms_and_gates():
    block = built().blocks[0]
    x, c = torch.randn(2, 4, 32), torch.randn(2, 32)
    shift1, scale1, gate1, shift2, scale2, gate2 = (
        part[:, None] for part in block.modulation(c).chunk(6, dim=1)
    )
    h = F.layer_norm(x, (32,), eps=1e-6) * (1 + scale1) + shift1
    q, k, v = block.attn.qkv(h).chunk(3, dim=-1)
    heads = []
    for part in (slice(0, 8), slice(8, 16), slice(16, 24), slice(24, 32)):
        weights = (q[..., part] @ k[..., part].mT / math.sqrt(8)).softmax(-1)
        heads.append(weights @ v[..., part])
    x1 = x + gate1 * block.attn.proj(torch.cat(heads, -1))
    h = F.layer_norm(x1, (32,), eps=1e-6) * (1 + scale2) + shift2
    h = F.gelu(block.mlp.fc1(h), approximate="tanh")
    expected = x1 + gate2 * block.mlp.fc2(h)
    torch.testing.assert_close(block(x, c), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("width", [16, 64])
def test_weights_are_drawn_with_the_std_that_is_declared(width):
    for name, module in built(width, zero_readout=False, embedding_std=0.5).named_modules():
        if hasattr(module, "param_std"):
            weight = module.weight.detach()
            rel = 5 / math.sqrt(2 * weight.numel())
            assert weight.std().item() == pytest.approx(module.param_std["weight"], rel=rel), name
            assert getattr(module, "bias", None) is None or not module.bias.any()


def test_fixed_parts_are_neither_trained_nor_saved():
    model = built()
    assert {"pos_TD", "time_embed.freqs"} == {name for name, _ in model.named_buffers()}
    assert model.state_dict().keys() == dict(model.named_parameters()).keys()
