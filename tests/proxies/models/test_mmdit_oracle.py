"""The MMDiT of diffusers predicts the same from the same weights."""

import pytest
import torch

from tests.proxies.family_cases import builder, scrambled
from tests.proxies.models.diffusers_weights import (
    CHANNELS,
    SIZES,
    TOLERANCE,
    SD3Transformer2DModel,
    WeightMapping,
    data,
    inputs,
    sizes,
    take_frequencies,
)


@SIZES
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("is_masked", [False, True])
def test_mmdit(width, head_dim, depth, patch_size, side, qk_norm, is_masked):
    """Theirs attends to padding; a mask that is full changes nothing, another is tested below."""
    info = data(side, caption=(6, 20), pooled=9)
    changes, common = sizes(width, head_dim, depth, patch_size)
    changes |= {"qk_norm": qk_norm, "mask_caption": is_masked, "repa_block": None}
    model = scrambled(builder("mmdit", info, **changes), width)
    theirs = SD3Transformer2DModel(
        **common,
        out_channels=CHANNELS,
        sample_size=side,
        joint_attention_dim=20,
        caption_projection_dim=width,
        pooled_projection_dim=9,
        pos_embed_max_size=side // patch_size,
        qk_norm="rms_norm" if qk_norm else None,
    )
    take_frequencies(model, theirs.time_text_embed.time_proj, rtol=1e-5)
    load_mmdit(model, theirs, patch_size)
    batch, t = inputs(info)
    if is_masked:
        batch["caption_mask"] = torch.ones_like(batch["caption_mask"])
    with torch.no_grad():
        conditions = {
            "encoder_hidden_states": batch["caption"],
            "pooled_projections": batch["pooled"],
            "timestep": t,
        }
        expected = theirs(batch["image"], **conditions).sample
        predicted = model(batch["image"], t, batch)
        assert expected.std() > 0.3
        torch.testing.assert_close(predicted, expected, **TOLERANCE)
        # Negative control: the wrong order of one layer's shift and scale.
        for tensor in theirs.norm_out.linear.parameters():
            tensor.copy_(torch.cat(tensor.chunk(2)[::-1]))
        assert (theirs(batch["image"], **conditions).sample - predicted).abs().max() > 0.1


def load_mmdit(model, theirs, patch_size):
    mapping = WeightMapping(model)
    mapping.patch_embed(patch_size)
    mapping.embedder("time_text_embed.timestep_embedder", "time_embed")
    mapping.embedder("time_text_embed.text_embedder", "pooled_embed")
    mapping.linear("context_embedder", "caption_embed")
    last = len(model.blocks) - 1
    for k in range(last + 1):
        load_joint_block(mapping, f"blocks.{k}", f"transformer_blocks.{k}", is_last=k == last)
    mapping.linear("norm_out.linear", "final.modulation", shift_scale=True)
    mapping.readout("proj_out", patch_size)
    # Queries of the last block's caption yield what nothing reads; positions are fixed in both.
    unread = f"transformer_blocks.{last}.attn."
    unread_parts = (f"{unread}add_q_proj", f"{unread}norm_added_q", "pos_embed.pos_embed")
    mapping.load(theirs, unread=unread_parts)


def load_joint_block(mapping, own, block, *, is_last):
    attn = f"{block}.attn"
    has_norm = f"{own}.image.q_norm.weight" in mapping.ours
    mapping.linear(f"{block}.norm1.linear", f"{own}.image.modulation")
    mapping.split(tuple(f"{attn}.to_{x}" for x in "qkv"), f"{own}.image.qkv")
    mapping.linear(f"{attn}.to_out.0", f"{own}.image.proj")
    mapping.mlp(f"{block}.ff", f"{own}.image.mlp")
    caption = f"{own}.caption"
    mapping.linear(f"{block}.norm1_context.linear", f"{caption}.modulation", shift_scale=is_last)
    if is_last:
        mapping.split(tuple(f"{attn}.add_{x}_proj" for x in "kv"), f"{caption}.kv")
    else:
        mapping.split(tuple(f"{attn}.add_{x}_proj" for x in "qkv"), f"{caption}.qkv")
        mapping.linear(f"{attn}.to_add_out", f"{caption}.proj")
        mapping.mlp(f"{block}.ff_context", f"{caption}.mlp")
    for x in "qk" if has_norm else "":
        mapping.theirs[f"{attn}.norm_{x}.weight"] = mapping.take(f"{own}.image.{x}_norm.weight")
        if not (is_last and x == "q"):
            gain = mapping.take(f"{caption}.{x}_norm.weight")
            mapping.theirs[f"{attn}.norm_added_{x}.weight"] = gain


def test_a_mask_is_the_caption_cut_short():
    info = data(8, caption=(6, 20), pooled=9)
    changes, _ = sizes(16, 8, 2, 4)
    changes |= {"mask_caption": True, "repa_block": None}
    model = scrambled(builder("mmdit", info, **changes), 16)
    batch, t = inputs(info, 4)
    batch["caption_mask"] = (torch.arange(6) < 3).expand(4, 6)
    short = {**batch, "caption": batch["caption"][:, :3]}
    short["caption_mask"] = batch["caption_mask"][:, :3]
    predicted = model(batch["image"], t, batch)
    torch.testing.assert_close(predicted, model(batch["image"], t, short), **TOLERANCE)
    blind = scrambled(builder("mmdit", info, **changes | {"mask_caption": False}), 16)
    assert (blind(batch["image"], t, batch) - predicted).abs().max() > 0.01
