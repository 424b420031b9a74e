"""Third-party modules, built at any width, with a batch and a loss for each."""

import importlib
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck
from mutransfer.words import Arm

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # An installed torchvision need not fit the build of torch; none of these models needs it.
    patch.setitem(sys.modules, "torchvision", None)
    warnings.simplefilter("ignore")
    from diffusers import DiTTransformer2DModel, SD3Transformer2DModel


def _define_nms() -> torch.library.Library:
    """Declare the operators that torchvision lacks where its build does not fit torch's.

    timm imports torchvision whatever its models need; they are never called.
    """
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        TORCHVISION = _define_nms()  # kept: operators are removed with their library
    import timm

BASE, HEAD_DIM, SIDE = 32, 16, 8
Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """How a module is made, called and trained; inputs are a function of the seed."""

    build: Callable[[int], nn.Module]
    inputs: Callable[[int], Inputs]
    outputs: Callable[[nn.Module, Inputs], Tensor]
    target: Callable[[Inputs], Tensor]
    roles: dict[str, str]

    def loss(self, model: nn.Module, inputs: Inputs) -> Tensor:
        return F.mse_loss(self.outputs(model, inputs), self.target(inputs))


def drawn(seed: int, **shapes: tuple[int, ...]) -> Inputs:
    rng = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}


def dit(width: int) -> nn.Module:
    return DiTTransformer2DModel(
        num_attention_heads=width // HEAD_DIM,
        attention_head_dim=HEAD_DIM,
        in_channels=3,
        out_channels=3,
        num_layers=2,
        sample_size=SIDE,
        patch_size=2,
        num_embeds_ada_norm=10,
        dropout=0.0,
    )


def dit_inputs(seed: int) -> Inputs:
    tensors = drawn(seed, x=(16, 3, SIDE, SIDE), y=(16, 3, SIDE, SIDE))
    # No null class: diffusers drops labels at random in training.
    return tensors | {"t": torch.linspace(1, 999, 16), "label": torch.arange(16) % 10}


def dit_outputs(model: nn.Module, inputs: Inputs) -> Tensor:
    model.eval()
    return model(inputs["x"], timestep=inputs["t"], class_labels=inputs["label"]).sample


def sd3(width: int) -> nn.Module:
    return SD3Transformer2DModel(
        sample_size=SIDE,
        patch_size=2,
        in_channels=3,
        out_channels=3,
        num_layers=2,
        attention_head_dim=HEAD_DIM,
        num_attention_heads=width // HEAD_DIM,
        joint_attention_dim=12,
        caption_projection_dim=width,
        pooled_projection_dim=20,
        pos_embed_max_size=SIDE,
    )


def sd3_inputs(seed: int) -> Inputs:
    shape = (16, 3, SIDE, SIDE)
    tensors = drawn(seed, x=shape, y=shape, caption=(16, 5, 12), pooled=(16, 20))
    return tensors | {"t": torch.linspace(1, 999, 16)}


def sd3_outputs(model: nn.Module, inputs: Inputs) -> Tensor:
    return model(
        inputs["x"],
        encoder_hidden_states=inputs["caption"],
        pooled_projections=inputs["pooled"],
        timestep=inputs["t"],
    ).sample


class Encoder(nn.Module):
    """torch's own encoder between a Linear and a Linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Linear(12, width)
        layer = nn.TransformerEncoderLayer(
            width, width // HEAD_DIM, 4 * width, dropout=0.0, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.stem(x)))


def vit(width: int) -> nn.Module:
    return timm.models.vision_transformer.VisionTransformer(
        img_size=SIDE,
        patch_size=2,
        in_chans=3,
        num_classes=7,
        embed_dim=width,
        depth=2,
        num_heads=width // HEAD_DIM,
    )


def plain_outputs(model: nn.Module, inputs: Inputs) -> Tensor:
    return model(inputs["x"])


CASES = {
    "DiTTransformer2DModel": Case(
        dit,
        dit_inputs,
        dit_outputs,
        lambda inputs: inputs["y"],
        {
            "pos_embed.proj.weight": "input",
            "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight": "input",
            "transformer_blocks.0.norm1.linear.weight": "hidden",
            "transformer_blocks.1.attn1.to_k.weight": "hidden",
            "transformer_blocks.1.ff.net.0.proj.bias": "vector",
            "proj_out_1.weight": "hidden",
            "proj_out_2.weight": "output",
            "proj_out_2.bias": "scalar",
        },
    ),
    "SD3Transformer2DModel": Case(
        sd3,
        sd3_inputs,
        sd3_outputs,
        lambda inputs: inputs["y"],
        {
            "pos_embed.proj.weight": "input",
            "context_embedder.weight": "input",
            "time_text_embed.text_embedder.linear_1.weight": "input",
            "time_text_embed.text_embedder.linear_2.weight": "hidden",
            "transformer_blocks.0.attn.add_k_proj.weight": "hidden",
            "transformer_blocks.0.norm1_context.linear.bias": "vector",
            "proj_out.weight": "output",
        },
    ),
    "TransformerEncoder": Case(
        Encoder,
        lambda seed: drawn(seed, x=(16, 6, 12), y=(16, 6, 7)),
        plain_outputs,
        lambda inputs: inputs["y"],
        {
            "stem.weight": "input",
            "encoder.layers.0.self_attn.in_proj_weight": "hidden",
            "encoder.layers.1.norm2.weight": "vector",
            "head.weight": "output",
            "head.bias": "scalar",
        },
    ),
    "timm ViT": Case(
        vit,
        lambda seed: drawn(seed, x=(16, 3, SIDE, SIDE), y=(16, 7)),
        plain_outputs,
        lambda inputs: inputs["y"],
        {
            "cls_token": "vector",
            "pos_embed": "vector",
            "patch_embed.proj.weight": "input",
            "blocks.1.attn.qkv.weight": "hidden",
            "head.weight": "output",
        },
    ),
}


def start_of(case: Case) -> coordcheck.StartRun:
    """Begin the runs of a coordinate check of a module."""

    def start(arm: Arm, width: int, seed: int, lr: float) -> coordcheck.CheckRun:
        plan = mup.plan(case.build, base_width=BASE, width=width, arm=arm)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = case.build(width)
        mup.init_(model, plan, seed=seed)
        optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=lr))
        inputs = case.inputs(seed)

        def step() -> None:
            optimizer.zero_grad()
            case.loss(model, inputs).backward()
            optimizer.step()

        return coordcheck.CheckRun(
            model=model,
            optimizer=optimizer,
            plan=plan,
            take_step=step,
            probe=lambda: case.outputs(model, inputs),
        )

    return start
