"""The DiT of diffusers predicts the same from the same weights."""

import pytest
import torch

from tests.proxies.family_cases import builder, scrambled
from tests.proxies.models.diffusers_weights import (
    CHANNELS,
    SIZES,
    TOLERANCE,
    DiTTransformer2DModel,
    WeightMapping,
    data,
    inputs,
    sizes,
    take_frequencies,
)


@SIZES
@pytest.mark.parametrize("learn_sigma", [False, True])
def test_dit(width, head_dim, depth, patch_size, side, learn_sigma):
    info = data(side)
    changes, common = sizes(width, head_dim, depth, patch_size)
    changes |= {"learn_sigma": learn_sigma, "repa_block": None}
    model = scrambled(builder("dit", info, **changes), width)
    theirs = DiTTransformer2DModel(
        **common,
        out_channels=CHANNELS * (1 + learn_sigma),
        sample_size=side,
        num_embeds_ada_norm=info.n_classes,
        norm_eps=1e-6,
        norm_num_groups=1,
    )
    # Their DiT's frequencies end at 1/10000 itself, the published code's (and ours) before it.
    take_frequencies(model, theirs.transformer_blocks[0].norm1.emb.time_proj, rtol=0.1)
    load_dit(model, theirs, patch_size)
    batch, t = inputs(info)
    with torch.no_grad():
        expected = theirs(batch["image"], timestep=t, class_labels=batch["label"]).sample
        predicted = model(batch["image"], t, batch)
    assert expected.std() > 0.3
    torch.testing.assert_close(predicted, expected, **TOLERANCE)


def load_dit(model, theirs, patch_size):
    mapping = WeightMapping(model)
    mapping.patch_embed(patch_size)
    for k in range(len(model.blocks)):
        own, block = f"blocks.{k}", f"transformer_blocks.{k}"
        # Every one of their blocks has embedders of its own.
        mapping.embedder(f"{block}.norm1.emb.timestep_embedder", "time_embed")
        table = f"{block}.norm1.emb.class_embedder.embedding_table.weight"
        mapping.theirs[table] = mapping.take("label_table.weight")
        mapping.linear(f"{block}.norm1.linear", f"{own}.modulation")
        mapping.split(tuple(f"{block}.attn1.to_{x}" for x in "qkv"), f"{own}.attn.qkv")
        mapping.linear(f"{block}.attn1.to_out.0", f"{own}.attn.proj")
        mapping.mlp(f"{block}.ff", f"{own}.mlp")
    mapping.linear("proj_out_1", "final.modulation")
    mapping.readout("proj_out_2", patch_size)
    mapping.load(theirs)
