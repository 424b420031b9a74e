"""The PixArt-α of diffusers predicts the same from the same weights."""

import pytest
import torch

from tests.proxies.family_cases import builder, scrambled
from tests.proxies.models.diffusers_weights import (
    CHANNELS,
    SIZES,
    TOLERANCE,
    PixArtTransformer2DModel,
    WeightMapping,
    data,
    inputs,
    sizes,
    take_frequencies,
)


@SIZES
@pytest.mark.parametrize("learn_sigma", [False, True])
def test_pixart(width, head_dim, depth, patch_size, side, learn_sigma):
    info = data(side, caption=(6, 20))
    changes, common = sizes(width, head_dim, depth, patch_size)
    model = scrambled(builder("pixart", info, learn_sigma=learn_sigma, **changes), width)
    theirs = PixArtTransformer2DModel(
        **common,
        out_channels=CHANNELS * (1 + learn_sigma),
        sample_size=side,
        cross_attention_dim=width,
        caption_channels=20,
        norm_num_groups=1,
    )
    take_frequencies(model, theirs.adaln_single.emb.time_proj, rtol=1e-5)
    load_pixart(model, theirs, patch_size)
    batch, t = inputs(info)
    with torch.no_grad():
        expected = theirs(
            batch["image"],
            encoder_hidden_states=batch["caption"],
            encoder_attention_mask=batch["caption_mask"],
            timestep=t,
        ).sample
        predicted = model(batch["image"], t, batch)
    assert expected.std() > 0.3
    torch.testing.assert_close(predicted, expected, **TOLERANCE)


def load_pixart(model, theirs, patch_size):
    mapping = WeightMapping(model)
    mapping.patch_embed(patch_size)
    mapping.embedder("adaln_single.emb.timestep_embedder", "time_embed")
    mapping.linear("adaln_single.linear", "modulation")
    mapping.embedder("caption_projection", "caption")
    for k in range(len(model.blocks)):
        own, block = f"blocks.{k}", f"transformer_blocks.{k}"
        mapping.theirs[f"{block}.scale_shift_table"] = mapping.take(f"{own}.table_6D")
        mapping.split(tuple(f"{block}.attn1.to_{x}" for x in "qkv"), f"{own}.attn.qkv")
        mapping.linear(f"{block}.attn1.to_out.0", f"{own}.attn.proj")
        mapping.linear(f"{block}.attn2.to_q", f"{own}.cross.q")
        mapping.split(tuple(f"{block}.attn2.to_{x}" for x in "kv"), f"{own}.cross.kv")
        mapping.linear(f"{block}.attn2.to_out.0", f"{own}.cross.proj")
        mapping.mlp(f"{block}.ff", f"{own}.mlp")
    mapping.theirs["scale_shift_table"] = mapping.take("final.table_2D")
    mapping.readout("proj_out", patch_size)
    mapping.load(theirs)
