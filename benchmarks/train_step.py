"""Training step of our DiT against diffusers' DiTTransformer2DModel of the same size.

Forward, backward and AdamW on the same batch shape, one thread, the two in turn, so that what else
the machine does hits both. diffusers unchanged, and with the timestep and label embedders of each
block replaced by one set that is computed once a step, as in the original DiT.

`python benchmarks/train_step.py [--quick]`
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mutransfer.proxies import models, mup
from mutransfer.proxies.config.data import DigitsConfig
from mutransfer.proxies.config.model import DiTConfig
from mutransfer.proxies.data.load import load
from mutransfer.proxies.rng import generator

# An installed torchvision need not fit the build of torch; diffusers does without it.
sys.modules["torchvision"] = None  # type: ignore[assignment]
import diffusers  # noqa: E402
from diffusers import DiTTransformer2DModel  # noqa: E402

BATCH, SIDE, CLASSES, HEAD_DIM = 32, 8, 10, 16
Step = Callable[[], None]


def main() -> None:
    """Print a Markdown table: milliseconds of each, and the ratio of pairs with its quartiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--patch", type=int, default=2)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two widths, few pairs")
    args = parser.parse_args()
    widths, pairs = ([32, 64], 3) if args.quick else (args.widths, args.pairs)
    torch.set_num_threads(args.threads)
    print(f"{platform.processor() or platform.machine()}, {args.threads} thread(s), torch "
          f"{torch.__version__}, diffusers {diffusers.__version__}; depth {args.depth}, patch "
          f"{args.patch}, head dim {HEAD_DIM}, batch {BATCH}, {pairs} pairs\n")  # fmt: skip
    print("| width | ours, ms | parameters | diffusers, ms | ratio | parameters "
          "| shared embedders, ms | ratio | parameters |")  # fmt: skip
    print("|" + "---|" * 9)
    for width in widths:
        print(row(width, args.depth, args.patch, pairs), flush=True)


def row(width: int, depth: int, patch: int, pairs: int) -> str:
    """One line of the table."""
    model, groups = ours(width, depth, patch)
    foreign, shared = theirs(width, depth, patch), share_embedders(theirs(width, depth, patch))
    models = [model, foreign, shared]
    # Each as its users run it: our groups with the fused AdamW that is our default, plain AdamW.
    steps = [step_of(model, torch.optim.AdamW(groups, fused=True))]
    steps += [step_of(m, torch.optim.AdamW(m.parameters(), lr=1e-4)) for m in models[1:]]
    seconds = paired(steps, pairs)
    ms = np.median(seconds, axis=0) * 1e3
    cells = [f"{width}", f"{ms[0]:.1f}", f"{size(models[0]):,}"]
    for i in (1, 2):
        low, middle, high = np.quantile(seconds[:, i] / seconds[:, 0], [0.25, 0.5, 0.75])
        cells += [f"{ms[i]:.1f}", f"{middle:.2f} ({low:.2f}-{high:.2f})", f"{size(models[i]):,}"]
    return "| " + " | ".join(cells) + " |"


def ours(width: int, depth: int, patch: int) -> tuple[nn.Module, list[dict[str, Any]]]:
    """Our DiT under μP, and its parameter groups."""
    torch.manual_seed(0)
    config = DiTConfig(depth=depth, head_dim=HEAD_DIM, base_width=32, patch_size=patch)

    def build(any_width: int) -> nn.Module:
        return models.build(config, any_width, load(DigitsConfig()).info)

    plan = mup.plan(build, base_width=32, width=width)
    model = build(width)
    mup.init_(model, plan)
    return model, mup.param_groups(model, plan, lr=1e-4)


def theirs(width: int, depth: int, patch: int) -> nn.Module:
    """The DiT of diffusers, of the same width, depth, heads and MLP."""
    torch.manual_seed(0)
    return DiTTransformer2DModel(
        num_attention_heads=width // HEAD_DIM,
        attention_head_dim=HEAD_DIM,
        in_channels=1,
        out_channels=1,
        num_layers=depth,
        sample_size=SIDE,
        patch_size=patch,
        num_embeds_ada_norm=CLASSES,
        dropout=0.0,
        norm_num_groups=1,
    )


class Shared(nn.Module):
    """Embeds timestep and label once a step for all blocks."""

    def __init__(self, embedder: nn.Module) -> None:
        super().__init__()
        self.embedder = embedder
        self.held: tuple[Tensor, Tensor] | None = None

    def forward(self, timestep: Tensor, labels: Tensor, hidden_dtype: torch.dtype) -> Tensor:
        """The embedding, computed at the first call with these timesteps."""
        if self.held is None or self.held[0] is not timestep:
            self.held = timestep, self.embedder(timestep, labels, hidden_dtype=hidden_dtype)
        return self.held[1]


def share_embedders(model: nn.Module) -> nn.Module:
    """The same model whose blocks, and the final layer, use the first block's embedders."""
    blocks = model.transformer_blocks
    shared = Shared(blocks[0].norm1.emb)
    for block in blocks:
        block.norm1.emb = shared
    return model


def step_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    """A training step of a model: the same batch, mean squared error, AdamW."""
    rng = generator("benchmark")
    image = torch.randn(BATCH, 1, SIDE, SIDE, generator=rng)
    label = torch.randint(CLASSES, (BATCH,), generator=rng)
    is_ours = not isinstance(model, DiTTransformer2DModel)

    def step() -> None:
        # A new tensor each step, so that nothing is shared between steps.
        t = torch.linspace(0, 999, BATCH).round()
        if is_ours:
            predicted = model(image, t, {"label": label})
        else:
            predicted = model(image, timestep=t.long(), class_labels=label).sample
        ((predicted - image) ** 2).mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def paired(steps: list[Step], pairs: int) -> np.ndarray:
    """Seconds of each step, (pairs, models): one step of each in turn, after a warm-up."""
    for step in steps:
        for _ in range(3):
            step()
    seconds = np.empty((pairs, len(steps)))
    for i in range(pairs):
        for j, step in enumerate(steps):
            started = time.perf_counter()
            step()
            seconds[i, j] = time.perf_counter() - started
    return seconds


def size(model: nn.Module) -> int:
    """Number of parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())


if __name__ == "__main__":
    main()
