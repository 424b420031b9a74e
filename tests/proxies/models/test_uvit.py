"""U-ViT against a reference written from its paper (arXiv 2209.12152, section 3)."""

import math

import pytest
import torch
import torch.nn.functional as F

from mutransfer.proxies.batch import DataInfo
from tests.proxies.family_cases import batch_of, builder, scrambled

INFO = DataInfo(shape=(3, 8, 8), n_classes=10)

HEAD_DIM, PATCH = 8, 4


def linear(p, name, x):
    out = x @ p[f"{name}.weight"].T
    return out + p[f"{name}.bias"] if f"{name}.bias" in p else out


def layer_norm(p, name, x):
    centred = x - x.mean(-1, keepdim=True)
    out = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-5)
    return out * p[f"{name}.weight"] + p[f"{name}.bias"] if f"{name}.weight" in p else out


def attention(p, name, x):
    q, k, v = linear(p, f"{name}.qkv", x).chunk(3, dim=-1)
    heads = []
    for start in range(0, x.shape[-1], HEAD_DIM):
        part = slice(start, start + HEAD_DIM)
        scores = q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(HEAD_DIM)
        heads.append(scores.softmax(-1) @ v[..., part])
    return linear(p, f"{name}.proj", torch.cat(heads, -1))


def block(p, name, x, skip=None):
    """Pre-norm attention and MLP; a long skip is concatenated and mapped back by a Linear."""
    if skip is not None:
        x = linear(p, f"{name}.skip", torch.cat([x, skip], -1))
    x = x + attention(p, f"{name}.attn", layer_norm(p, f"{name}.norm_1", x))
    hidden = linear(p, f"{name}.mlp.fc1", layer_norm(p, f"{name}.norm_2", x))
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
    return x + linear(p, f"{name}.mlp.fc2", hidden)


def reference(p, image, t, label, *, depth):
    """All inputs are tokens; the first half's outputs are taken in by the second's, mirrored."""
    width = p["pos_TD"].shape[1]
    cut = F.unfold(image, PATCH, stride=PATCH).transpose(1, 2)
    angles = t[:, None] * 10_000.0 ** (-torch.arange(width // 2) / (width // 2))
    time = torch.cat([angles.cos(), angles.sin()], -1)
    if "time_token.fc1.weight" in p:
        time = linear(p, "time_token.fc2", F.silu(linear(p, "time_token.fc1", time)))
    tokens = [p["label_table.weight"][label][:, None], time[:, None], linear(p, "patch_embed", cut)]
    x = torch.cat(tokens, dim=1) + p["pos_TD"]
    skips = []
    for k in range(depth // 2):
        x = block(p, f"first.{k}", x)
        skips.append(x)
    x = block(p, "middle", x)
    for k in range(depth // 2):
        x = block(p, f"second.{k}", x, skips[-1 - k])
    out = linear(p, "readout", layer_norm(p, "norm", x))[:, 2:]
    joined = F.fold(out.transpose(1, 2), image.shape[2:], PATCH, stride=PATCH)
    if "conv.weight" not in p:
        return joined
    return F.conv2d(joined, p["conv.weight"], p["conv.bias"], padding=1)


@pytest.mark.parametrize("option", ["affine_norm", "mlp_time_embed", "conv", None])
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_the_prediction_is_that_of_the_paper(depth, option):
    flags = dict.fromkeys(("affine_norm", "mlp_time_embed", "conv"), False)
    if option is not None:
        flags[option] = True
    model = scrambled(builder("uvit", INFO, depth=depth, **flags), 32)
    batch, t = batch_of(4, INFO, dtype=torch.float32), torch.tensor([0.0, 3.0, 55.5, 99.0])
    with torch.no_grad():
        expected = reference(
            dict(model.named_parameters()), batch["image"], t, batch["label"], depth=depth
        )
        predicted = model(batch["image"], t, batch)
    assert expected.std() > 0.3
    torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=2e-5)


def test_skips_are_mirrored_and_not_in_order():
    model = scrambled(builder("uvit", INFO, depth=5), 32)
    batch, t = batch_of(2, INFO, dtype=torch.float32), torch.tensor([3.0, 55.5])
    swapped = dict(model.named_parameters())
    for name in [name for name in swapped if name.startswith("second.0")]:
        other = name.replace("second.0", "second.1")
        swapped[name], swapped[other] = swapped[other], swapped[name]
    predicted = reference(swapped, batch["image"], t, batch["label"], depth=5)
    assert (predicted - model(batch["image"], t, batch)).abs().max() > 1e-2
