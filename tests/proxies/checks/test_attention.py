"""The scale and head dim of attention, in every way to write it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.checks.attention import SoftmaxMode


def scaled_logits(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return (scale * (q @ k.mT)).softmax(-1) @ v


def scaled_query(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return torch.einsum("bhtl,bhld->bhtd", ((q * scale) @ k.transpose(2, 3)).softmax(-1), v)


def divided(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    logits = torch.einsum("bhtd,bhld->bhtl", q, k) / (1 / scale)
    mask = torch.ones(logits.shape[-2:], dtype=torch.bool).tril()
    return logits.masked_fill(~mask, float("-inf")).float().softmax(-1) @ v


def added(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    B, H, T, _ = q.shape
    bias = torch.zeros(B * H, T, T)
    logits = torch.baddbmm(bias, q.flatten(0, 1), k.flatten(0, 1).mT, alpha=scale)
    return logits.softmax(-1).unflatten(0, (B, H)) @ v


def both_scaled(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    root = scale**0.5
    return ((q * root) @ (k.mul(root)).mT).softmax(-1) @ v


def fused(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, scale=scale)


WAYS = (scaled_logits, scaled_query, divided, added, both_scaled, fused)


def softmaxes_of(forward):
    softmaxes = []
    with torch.no_grad(), SoftmaxMode(softmaxes.append):
        forward()
    return softmaxes


@pytest.mark.parametrize("attend", WAYS)
def test_head_dim_and_scale_are_detected_however_attention_is_written(attend):
    q, k, v = torch.randn(3, 2, 3, 5, 16)
    (softmax,) = softmaxes_of(lambda: attend(q, k, v, 0.3))
    assert softmax.head_dim == 16
    assert softmax.scale == pytest.approx(0.3, rel=1e-6)


def test_a_softmax_that_is_no_attention_has_no_head_dim():
    router = nn.Linear(8, 4)
    (softmax,) = softmaxes_of(lambda: router(torch.randn(3, 8)).softmax(-1))
    assert softmax.head_dim is None


def test_query_heads_that_share_a_key_head_have_the_logits_of_repeated_keys():
    q, k = torch.randn(2, 4, 5, 8), torch.randn(2, 2, 5, 8)
    (grouped,) = softmaxes_of(lambda: F.scaled_dot_product_attention(q, k, k, enable_gqa=True))
    repeated = k.repeat_interleave(2, dim=1)
    (plain,) = softmaxes_of(lambda: F.scaled_dot_product_attention(q, repeated, repeated))
    assert torch.equal(grouped.logits(), plain.logits())
    assert (grouped.head_dim, grouped.scale) == (8, plain.scale)
    (other,) = softmaxes_of(lambda: F.scaled_dot_product_attention(q, repeated.roll(1, 1), q))
    assert not torch.equal(other.logits(), plain.logits())


@pytest.mark.parametrize("shape", [(5, 8), (2, 5, 8), (2, 3, 5, 8), (2, 2, 3, 5, 8)])
def test_fused_attention_of_any_number_of_axes_shows_its_logits(shape):
    q, k = torch.randn(2, *shape)
    (softmax,) = softmaxes_of(lambda: F.scaled_dot_product_attention(q, k, k))
    torch.testing.assert_close(softmax.logits(), q @ k.mT / 8**0.5)
