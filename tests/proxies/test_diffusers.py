"""DiT, PixArt-α and MMDiT against diffusers: the same weights give the same prediction.

Weights are mapped by name, all of them, and biases, gains and zeros are drawn as well. Where the
layout differs: their q, k and v are three Linears; their readout has the channels of a patch last;
their final layers ask for the scale before the shift.
"""

import math
import sys
import warnings

import pytest
import torch
from torch import Tensor, nn

from mutransfer.proxies.batch import DataInfo
from tests.proxies.family_cases import batch_of, builder, scrambled

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # microsoft/mup, our other oracle, installs torchvision, whose wheel does not fit every build of
    # torch. diffusers imports it where it is; none of these models needs it.
    patch.setitem(sys.modules, "torchvision", None)
    warnings.simplefilter("ignore")
    from diffusers import DiTTransformer2DModel, PixArtTransformer2DModel, SD3Transformer2DModel

# Float32 sums of a few hundred terms through a few blocks; outputs are of the order of one.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
SIZES = pytest.mark.parametrize(
    ("width", "head_dim", "depth", "patch_size", "side"),
    [(16, 8, 1, 4, 8), (48, 16, 3, 2, 8), (64, 32, 2, 2, 16)],
    ids=lambda value: str(value),
)
CHANNELS = 3


class Mapping:
    """Our tensors by name, handed out once each, and theirs as they come together."""

    def __init__(self, model: nn.Module) -> None:
        self.ours = {name: p.detach() for name, p in model.named_parameters()}
        self.theirs: dict[str, Tensor] = {}
        self.used: set[str] = set()

    def take(self, name: str) -> Tensor:
        self.used.add(name)
        return self.ours[name]

    def linear(self, theirs: str, ours: str, *, shift_scale: bool = False) -> None:
        for kind in ("weight", "bias"):
            tensor = self.take(f"{ours}.{kind}")
            if shift_scale:
                tensor = torch.cat(tensor.chunk(2)[::-1])
            self.theirs[f"{theirs}.{kind}"] = tensor

    def split(self, theirs: tuple[str, ...], ours: str) -> None:
        for kind in ("weight", "bias"):
            parts = self.take(f"{ours}.{kind}").chunk(len(theirs))
            for name, part in zip(theirs, parts, strict=True):
                self.theirs[f"{name}.{kind}"] = part

    def embedder(self, theirs: str, ours: str) -> None:
        self.linear(f"{theirs}.linear_1", f"{ours}.fc1")
        self.linear(f"{theirs}.linear_2", f"{ours}.fc2")

    def mlp(self, theirs: str, ours: str) -> None:
        self.linear(f"{theirs}.net.0.proj", f"{ours}.fc1")
        self.linear(f"{theirs}.net.2", f"{ours}.fc2")

    def patch_embed(self, patch_size: int) -> None:
        weight = self.take("patch_embed.weight")
        grid = (CHANNELS, patch_size, patch_size)
        self.theirs["pos_embed.proj.weight"] = weight.unflatten(1, grid)
        self.theirs["pos_embed.proj.bias"] = self.take("patch_embed.bias")

    def readout(self, theirs: str, patch_size: int) -> None:
        for kind in ("weight", "bias"):
            tensor = self.take(f"final.readout.{kind}").unflatten(0, (-1, patch_size**2))
            self.theirs[f"{theirs}.{kind}"] = tensor.transpose(0, 1).flatten(0, 1)

    def load(self, theirs: nn.Module, *, unread: tuple[str, ...] = ()) -> None:
        """Load theirs; nothing is left over on either side but what they never read."""
        assert self.used == self.ours.keys()
        missing, unexpected = theirs.load_state_dict(self.theirs, strict=False)
        assert not unexpected and all(name.startswith(unread) for name in missing), missing
        theirs.eval()


def data(side: int, **parts) -> DataInfo:
    return DataInfo(shape=(CHANNELS, side, side), n_classes=10, **parts)


def inputs(info: DataInfo, size: int = 5):
    batch = batch_of(size, info, dtype=torch.float32)
    return batch, torch.tensor([0.0, 1.0, 250.0, 617.5, 999.0])[:size]


def take_frequencies(model, time_proj, *, rtol):
    """Give our model their frequencies to the last bit, which a time of 1000 multiplies."""
    half = time_proj.num_channels // 2
    exponents = -math.log(10_000.0) * torch.arange(half, dtype=torch.float32)
    freqs = torch.exp(exponents / (half - time_proj.downscale_freq_shift))
    own = model.time_embed.freqs
    torch.testing.assert_close(own, freqs, rtol=rtol, atol=0)
    model.time_embed.freqs = freqs


def sizes(width, head_dim, depth, patch_size):
    changes = {"head_dim": head_dim, "depth": depth, "patch_size": patch_size, "base_width": width}
    theirs = {
        "num_attention_heads": width // head_dim,
        "attention_head_dim": head_dim,
        "num_layers": depth,
        "patch_size": patch_size,
        "in_channels": CHANNELS,
    }
    return changes, theirs


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
        found = model(batch["image"], t, batch)
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, **TOLERANCE)


def load_dit(model, theirs, patch_size):
    mapping = Mapping(model)
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
        found = model(batch["image"], t, batch)
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, **TOLERANCE)


def load_pixart(model, theirs, patch_size):
    mapping = Mapping(model)
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
        asked = {
            "encoder_hidden_states": batch["caption"],
            "pooled_projections": batch["pooled"],
            "timestep": t,
        }
        expected = theirs(batch["image"], **asked).sample
        found = model(batch["image"], t, batch)
        assert expected.std() > 0.3
        torch.testing.assert_close(found, expected, **TOLERANCE)
        # The comparison feels a wrong order of one layer's shift and scale.
        for tensor in theirs.norm_out.linear.parameters():
            tensor.copy_(torch.cat(tensor.chunk(2)[::-1]))
        assert (theirs(batch["image"], **asked).sample - found).abs().max() > 0.1


def load_mmdit(model, theirs, patch_size):
    mapping = Mapping(model)
    mapping.patch_embed(patch_size)
    mapping.embedder("time_text_embed.timestep_embedder", "time_embed")
    mapping.embedder("time_text_embed.text_embedder", "pooled_embed")
    mapping.linear("context_embedder", "caption_embed")
    last = len(model.blocks) - 1
    for k in range(last + 1):
        load_joint_block(mapping, f"blocks.{k}", f"transformer_blocks.{k}", is_last=k == last)
    mapping.linear("norm_out.linear", "final.modulation", shift_scale=True)
    mapping.readout("proj_out", patch_size)
    # Queries of the last block's caption find what nothing reads; positions are fixed in both.
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
    found = model(batch["image"], t, batch)
    torch.testing.assert_close(found, model(batch["image"], t, short), **TOLERANCE)
    blind = scrambled(builder("mmdit", info, **changes | {"mask_caption": False}), 16)
    assert (blind(batch["image"], t, batch) - found).abs().max() > 0.01
