"""μP mistakes, each in one place of a plan, a model, its options or its optimizer."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.config.model import ModelConfig

Plan = dict[str, Any]
EditPlan = Callable[[Plan, float], object]
EditModel = Callable[[nn.Module, float], object]
EditConfig = Callable[[ModelConfig, int], ModelConfig]
EditOptimizer = Callable[[torch.optim.Optimizer, float], object]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A mistake in one place: the plan, the model as built, its options, or the training.

    `acts`: it changes activations or updates in a few steps, so that a coordinate check can see it.
    `is_new`: planted after the detectors were written, and not
    looked at before. `why`: why a detector is blind to it, where one is.
    """

    family: str
    name: str
    acts: bool
    plan: EditPlan | None = None
    model: EditModel | None = None
    config: EditConfig | None = None
    optimizer: EditOptimizer | None = None
    eps: float = 1e-12
    data: Any = None
    is_new: bool = False
    why: str = ""


def rows(plan: Plan, role: str | None = None, part: str = "") -> list[dict[str, Any]]:
    """The plan's rows of a role whose names hold a text."""
    return [
        row
        for name, row in plan["params"].items()
        if part in name and (role is None or row["role"] == role)
    ]


def put(role: str | None, part: str = "", **power: float) -> EditPlan:
    """Set entries of some rows to powers of m."""

    def edit(plan: Plan, m: float) -> None:
        for row in rows(plan, role, part):
            for key, exponent in power.items():
                row[key] = m**exponent

    return edit


def std_times(role: str | None, part: str, power: float) -> EditPlan:
    """Multiply the init std of some rows by a power of m."""

    def edit(plan: Plan, m: float) -> None:
        for row in rows(plan, role, part):
            if row["init_std"] is not None:
                row["init_std"] *= m**power

    return edit


def called(role: str, part: str, **power: float) -> EditPlan:
    """Give some rows another role and its rule."""

    def edit(plan: Plan, m: float) -> None:
        for row in rows(plan, None, part):
            row["role"] = role
        put(role, part, **power)(plan, m)

    return edit


def both(*edits: EditPlan) -> EditPlan:
    """Make several edits."""

    def edit(plan: Plan, m: float) -> None:
        for make_edit in edits:
            make_edit(plan, m)

    return edit


def scaled(path: str, power: float, *, is_output: bool = False) -> EditModel:
    """Multiply what goes into a module, or comes out of it, by a power of m."""

    def edit(model: nn.Module, m: float) -> None:
        module = model.get_submodule(path)
        if is_output:
            module.register_forward_hook(lambda _module, _inputs, out: out * m**power)
        else:
            module.register_forward_pre_hook(
                lambda _module, inputs: (inputs[0] * m**power, *inputs[1:])
            )

    return edit


def query_scaled(path: str, power: float) -> EditModel:
    """Multiply the queries that a qkv Linear makes by a power of m."""

    def edit(model: nn.Module, m: float) -> None:
        def hook(_module: nn.Module, _inputs: object, out: torch.Tensor) -> torch.Tensor:
            q, k, v = out.chunk(3, dim=-1)
            return torch.cat([q * m**power, k, v], dim=-1)

        model.get_submodule(path).register_forward_hook(hook)

    return edit


def bias_scaled(path: str) -> EditModel:
    """Divide the bias of a readout by m, as a multiplier on its output does."""

    def edit(model: nn.Module, m: float) -> None:
        module = model.get_submodule(path)
        module.register_forward_hook(lambda module, _inputs, out: out - (1 - 1 / m) * module.bias)

    return edit


def mixed_base(plan: Plan, m: float) -> None:
    """Learning rates divided by n / 64 where the model was initialized for n / 32."""
    for row in rows(plan, "hidden"):
        row["lr_mult"], row["wd_mult"] = 2 / m, m / 2


def growing_heads(config: ModelConfig, width: int) -> ModelConfig:
    """Two heads at every width."""
    return dataclasses.replace(config, head_dim=width // 2)


def nonzero(config: ModelConfig, width: int) -> ModelConfig:
    """A readout that begins at random."""
    return dataclasses.replace(config, zero_readout=False)


def decayed_vectors(plan: Plan, m: float) -> None:
    """Decay biases like weights."""
    for row in rows(plan, "vector"):
        row["decay"] = True


def doubled_when_wider(plan: Plan, m: float) -> None:
    """Hidden learning rates twice as large wherever the model is wider than the base."""
    for row in rows(plan, "hidden"):
        row["lr_mult"] *= 2 if m > 1 else 1


def doubled_std(plan: Plan, m: float) -> None:
    """Hidden weights twice as large at every width."""
    for row in rows(plan, "hidden"):
        row["init_std"], row["init_mult"] = row["init_std"] * 2, row["init_mult"] * 2


def one_rate(optimizer: torch.optim.Optimizer, m: float) -> None:
    """Give all groups one learning rate from the second step on, as many schedulers do."""
    base = max(group["lr"] for group in optimizer.param_groups)

    def step(optimizer: Any, *_: Any) -> None:
        if optimizer.state:
            for group in optimizer.param_groups:
                group["lr"] = base

    optimizer.register_step_pre_hook(step)


FEATURES = OpenmojiConfig(val_draws=1, features="random_conv", feature_side=4)
LR1 = {"lr_mult": 0.0, "wd_mult": 0.0}
LR_M = {"lr_mult": -1.0, "wd_mult": 1.0}
FAULTS: tuple[Fault, ...] = (
    Fault(family="dit", name="hidden LR not divided", acts=True, plan=put("hidden", **LR1)),
    Fault(family="dit", name="hidden LR / √m", acts=True, plan=put("hidden", lr_mult=-0.5)),
    Fault(family="dit", name="multiplier missing", acts=True, plan=put("output", input_mult=0.0)),
    Fault(family="dit", name="multiplier √m", acts=True, plan=put("output", input_mult=-0.5)),
    Fault(family="dit", name="multiplier twice", acts=True, model=scaled("final.readout", -1.0)),
    Fault(family="dit", name="readout LR / m as well", acts=True, plan=put("output", **LR_M)),
    Fault(
        family="dit",
        name="unscaled non-zero readout",
        acts=True,
        config=nonzero,
        plan=put("output", input_mult=0.0),
    ),
    Fault(
        family="dit", name="hidden init not scaled", acts=True, plan=std_times("hidden", "", 0.5)
    ),
    Fault(
        family="dit", name="one MLP's init not scaled", acts=True,
        plan=std_times("hidden", "blocks.1.mlp.fc2", 0.5),
    ),
    Fault(
        family="dit", name="embedding taken for hidden", acts=True,
        plan=both(called("hidden", "label_table", **LR_M), std_times(None, "label_table", -0.5)),
    ),
    Fault(
        family="dit", name="patch embedding's LR / m", acts=True,
        plan=called("hidden", "patch_embed.weight", **LR_M),
    ),
    Fault(family="dit", name="input LR × m", acts=True, plan=put("input", lr_mult=1.0)),
    Fault(family="dit", name="biases' LR / m", acts=True, plan=put("vector", lr_mult=-1.0)),
    Fault(
        family="dit", name="modulation taken for input", acts=True,
        plan=called("input", "modulation.weight", **LR1),
    ),
    Fault(
        family="dit", name="one block forgotten", acts=True,
        plan=both(put("hidden", "blocks.1", **LR1), std_times("hidden", "blocks.1", 0.5)),
    ),
    Fault(
        family="dit", name="label table's std / √n", acts=True,
        plan=std_times(None, "label_table", -0.5),
    ),
    Fault(
        family="dit", name="logits × √m", acts=True, model=query_scaled("blocks.0.attn.qkv", 0.5)
    ),
    Fault(
        family="dit", name="logits / m", acts=True, model=query_scaled("blocks.0.attn.qkv", -1.0)
    ),
    Fault(
        family="dit", name="head dim grows, 1/√d", acts=True, config=growing_heads,
        why="after a few steps queries and keys are not aligned; random ones have flat logits",
    ),
    Fault(family="dit", name="ε of 1e-3", acts=True, eps=1e-3),
    Fault(family="dit", name="decay not scaled", acts=False, plan=put("hidden", wd_mult=0.0)),
    Fault(family="dit", name="biases decayed", acts=False, plan=decayed_vectors),
    Fault(family="dit", name="base width mixed up", acts=False, plan=mixed_base),
    Fault(
        family="dit", name="bias under the multiplier", acts=True,
        model=bias_scaled("final.readout"),
        why="the bias itself moves as it should, and its part in the prediction is a small one",
    ),
    Fault(
        family="uvit", name="time MLP's first layer taken for input", acts=True,
        config=lambda config, width: dataclasses.replace(config, mlp_time_embed=True),
        plan=both(
            called("input", "time_token.fc1.weight", **LR1),
            std_times(None, "time_token.fc1.weight", 0.5),
        ),
    ),
    Fault(
        family="uvit", name="long skip taken for input", acts=True,
        plan=called("input", "skip.weight", **LR1),
    ),
    Fault(
        family="uvit", name="positions' std / √n", acts=True, plan=std_times(None, "pos_TD", -0.5)
    ),
    Fault(
        family="pixart", name="scale-shift tables' std / √n", acts=True,
        plan=std_times("vector", "table", -0.5),
    ),
    Fault(
        family="pixart", name="shared modulation's LR not divided", acts=True,
        plan=called("input", "modulation.weight", **LR1),
    ),
    Fault(
        family="mmdit", name="caption stream forgotten", acts=True,
        plan=put("hidden", ".caption.", **LR1),
    ),
    Fault(
        family="mmdit", name="caption embedding taken for hidden", acts=True,
        plan=called("hidden", "caption_embed.weight", **LR_M),
    ),
    # From here on: planted after the detectors were written.
    Fault(
        family="dit", name="hidden init / m", acts=True, is_new=True,
        plan=std_times("hidden", "", -0.5),
    ),
    Fault(
        family="dit", name="an MLP's output / √m", acts=True, is_new=True,
        model=scaled("blocks.0.mlp", -0.5, is_output=True),
    ),
    Fault(
        family="dit", name="values × √m", acts=True, is_new=True,
        model=scaled("blocks.1.attn.proj", 0.5),
    ),
    Fault(
        family="dit", name="scheduler sets one LR for all groups", acts=True, is_new=True,
        optimizer=one_rate,
    ),
    Fault(
        family="dit", name="decay × m²", acts=False, is_new=True, plan=put("hidden", wd_mult=2.0)
    ),
    Fault(
        family="dit", name="hidden LR × 2 but at base width", acts=True, is_new=True,
        plan=doubled_when_wider,
        why="a step between the two narrowest widths alone, which no straight line fits well",
    ),
    Fault(
        family="dit", name="hidden std × 2 at every width", acts=False, is_new=True,
        plan=doubled_std,
        why="no power of width: the same models as at twice the base HP `init_std`, whose optimum "
        "transfers; only its value means something else",
    ),
    Fault(
        family="dit", name="REPA's head taken for hidden", acts=True, is_new=True, data=FEATURES,
        config=lambda config, width: dataclasses.replace(config, repa_block=0, repa_hidden=64),
        plan=both(
            put("output", "projector.head", input_mult=0.0, **LR_M),
            std_times(None, "projector.head.weight", -0.5),
        ),
        why="the hidden rule keeps its output as flat; only its initial effect is too large",
    ),
    Fault(
        family="uvit", name="positions' LR / m", acts=True, is_new=True,
        plan=put("vector", "pos_TD", lr_mult=-1.0),
    ),
    Fault(
        family="uvit", name="norm gains' LR / m", acts=True, is_new=True,
        config=lambda config, width: dataclasses.replace(config, affine_norm=True),
        plan=put("vector", "norm", lr_mult=-1.0),
    ),
    Fault(
        family="uvit", name="patch embedding's std / √n", acts=True, is_new=True,
        plan=std_times(None, "patch_embed.weight", -0.5),
    ),
    Fault(
        family="pixart", name="cross-attention's logits / √n", acts=True, is_new=True,
        model=scaled("blocks.0.cross.q", -0.5, is_output=True),
    ),
    Fault(
        family="pixart", name="readout not zero in wide models", acts=True, is_new=True,
        config=lambda config, width: dataclasses.replace(config, zero_readout=width < 128),
    ),
    Fault(
        family="mmdit", name="QK-norm gains taken for hidden", acts=True, is_new=True,
        plan=called("hidden", "q_norm.weight", lr_mult=-1.0),
    ),
    Fault(
        family="mmdit", name="pooled caption's first layer taken for hidden", acts=True,
        is_new=True,
        plan=both(
            called("hidden", "pooled_embed.fc1.weight", **LR_M),
            std_times(None, "pooled_embed.fc1.weight", -0.5),
        ),
    ),
)  # fmt: skip
