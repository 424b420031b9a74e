"""The sizes of a coordinate check: what a few steps of training do to a model, at each width.

Under μP the RMS of every module's output and of its change since initialization, and the spectral
norm of every weight and its update times √(fan_in / fan_out), are Θ(1) in width (Tensor Programs V,
appendix D; arXiv 2310.17813). Here they are measured; `analysis.coordinates` judges them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mutransfer.proxies import training as trial
from mutransfer.proxies.checks.forward import outputs_of
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.mup.parameters import owners
from mutransfer.proxies.rng import generator
from mutransfer.proxies.training.train import Training
from mutransfer.words import Arm

Kind = Literal["output", "change", "weight", "update"]
# A gradient or a change this small beside its peers is rounding: Adam would blow it up.
ROUNDING = 1e-6
POWER_ITERATIONS = 20
# The size of fewer draws scatters too much (9 %) to say how it goes with width.
MIN_DRAWN = 64
# A learning rate matters where the median module changes by this share of its output.
CHANGED = 0.5


@dataclass(frozen=True, kw_only=True)
class Run:
    """A short training that is looked into.

    Attributes:
        model: Newborn and initialized.
        optimizer: AdamW over all its parameters.
        plan: Of the model; see `mup.plan`.
        take_step: Does one training step.
        probe: Does the forward pass of a fixed batch, the same at every width.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    plan: dict[str, Any]
    take_step: Callable[[], object]
    probe: Callable[[], object]


Start = Callable[[Arm, int, int, float], Run]


@dataclass(frozen=True, kw_only=True)
class Size:
    """One measured size. `role` is a parameter's; a module has none."""

    arm: Arm
    width: int
    seed: int
    step: int
    kind: Kind
    name: str
    role: str | None
    size: float


def measure(
    start: Start,
    *,
    widths: Sequence[int],
    seeds: Iterable[int],
    steps: int,
    lr: float,
    arm: Arm = "mup",
) -> Iterator[Size]:
    """Yield the sizes of every module and parameter at every width, seed and step.

    Args:
        start: Begins the run of (arm, width, seed, lr); same data for every arm and width.
        widths: Widths of the models.
        seeds: Seeds of initialization and data.
        steps: Training steps of each run.
        lr: Base LR, large enough that the updates matter; see `choose_lr`.
        arm: Parametrization; SP is the negative control.
    """
    for seed in seeds:
        for width in widths:
            for step, kind, name, role, size in sizes(start(arm, width, seed, lr), steps):
                yield Size(
                    arm=arm,
                    width=width,
                    seed=seed,
                    step=step,
                    kind=kind,
                    name=name,
                    role=role,
                    size=size,
                )


def of_trial(config: TrialConfig) -> Run:
    """Return the run of a trial's training; the probe is its first batch.

    Raises:
        ConfigError: as `Training`.
    """
    training = Training(config)
    first = training.task.inputs(0)
    return Run(
        model=training.model,
        optimizer=training.optimizer,
        plan=trial.plan(config),
        take_step=training.take_step,
        probe=lambda: training.losses(first),
    )


def choose_lr(start: Start, *, base_width: int, steps: int, log2_lrs: Iterable[int]) -> float:
    """Return the largest LR at which, at base width, the median module changes by at most half.

    A smaller one would hide what the updates do behind what was drawn at birth; at a larger one the
    seeds scatter more.

    Args:
        start: As in `measure`.
        base_width: Where both arms are one.
        steps: Training steps.
        log2_lrs: Candidates, in falling order; the last one is taken if none fits.
    """
    lr = 1.0
    for log2_lr in log2_lrs:
        lr = 2.0**log2_lr
        found = list(sizes(start("mup", base_width, 0, lr), steps))
        last = {(kind, name): size for step, kind, name, _, size in found if step == steps}
        ratios = sorted(
            size / last["output", name]
            for (kind, name), size in last.items()
            if kind == "change" and size > 0
        )
        if ratios and ratios[len(ratios) // 2] <= CHANGED:
            break
    return lr


def sizes(run: Run, steps: int) -> Iterator[tuple[int, Kind, str, str | None, float]]:
    """Yield (step, kind, name, role, size) of one run; weights at step 0, the rest at each step.

    Of a weight of few entries there is no size at birth.
    """
    rows, parameters = run.plan["params"], owners(run.model)
    born = {name: owner.parameter.detach().clone() for name, owner in parameters.items()}
    for name, value in born.items():
        if value.numel() < MIN_DRAWN:
            continue
        yield 0, "weight", name, rows[name]["role"], born_size(value, rows[name])
    first = outputs_of(run.model, run.probe)
    for step in range(steps + 1):
        if step:
            run.take_step()
            moved = _felt(run.optimizer, {n: o.parameter for n, o in parameters.items()})
            for name in born:
                update = parameters[name].parameter.detach() - born[name]
                size = update_size(update, rows[name]) if name in moved else 0.0
                yield step, "update", name, rows[name]["role"], size
        outputs = outputs_of(run.model, run.probe) if step else first
        for name, values in outputs.items():
            size = _rms(values)
            yield step, "output", name, None, size
            if step:
                change = _rms([a - b for a, b in zip(values, first[name], strict=True)])
                is_rounding = change <= ROUNDING * size
                yield step, "change", name, None, 0.0 if is_rounding else change


def born_size(value: Tensor, row: dict[str, Any]) -> float:
    """Return √fan_in · multiplier · RMS of a newborn weight; RMS of a vector."""
    return math.sqrt(row["fan_in"]) * row["input_mult"] * _rms([value])


def update_size(value: Tensor, row: dict[str, Any]) -> float:
    """Return √(fan_in / fan_out) · multiplier · ‖ΔW‖₂ of an update; RMS of a vector."""
    if row["role"] in ("vector", "scalar") or value.ndim < 2:
        return _rms([value])
    fan_out = value.numel() / row["fan_in"]
    return math.sqrt(row["fan_in"] / fan_out) * row["input_mult"] * spectral_norm(value.flatten(1))


def spectral_norm(matrix: Tensor) -> float:
    """Return the largest singular value, by power iteration from a fixed start."""
    start = torch.randn(matrix.shape[1], generator=generator("spectral"))
    v = start.to(matrix)
    norm = 0.0
    for _ in range(POWER_ITERATIONS):
        u = matrix @ (v / v.norm())
        norm = u.norm().item()
        if not (norm > 0 and math.isfinite(norm)):
            break
        v = matrix.T @ (u / u.norm())
    return norm


def _felt(optimizer: torch.optim.Optimizer, parameters: dict[str, nn.Parameter]) -> set[str]:
    """Return the parameters whose gradient was more than rounding (a bias of keys has none)."""
    seen = {}
    for name, parameter in parameters.items():
        second = optimizer.state.get(parameter, {}).get("exp_avg_sq")
        seen[name] = 0.0 if second is None else second.mean().sqrt().item()
    largest = max(seen.values(), default=0.0)
    return {name for name, size in seen.items() if not size <= ROUNDING * largest}


def _rms(values: Iterable[Tensor]) -> float:
    flat = torch.cat([value.flatten().double() for value in values])
    return flat.square().mean().sqrt().item()
