"""Measurements of a coordinate check: activations, weights and updates of the first steps.

Under μP the RMS of every module's output and of its change since initialization, and the spectral
norm of every weight and its update times √(fan_in / fan_out), are Θ(1) in width (Tensor Programs V,
appendix D; arXiv 2310.17813). This file measures them; `analysis.verdict.coordcheck` judges them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from mutransfer.proxies import training
from mutransfer.proxies.checks.forward import MODEL, feeds, trace
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.mup.optimizers import ADAMW, OptimizerRule
from mutransfer.proxies.mup.parameters import owners, plain_name
from mutransfer.proxies.mup.plan import Plan
from mutransfer.proxies.mup.rows import Row
from mutransfer.proxies.rng import generator
from mutransfer.proxies.training.train import Training
from mutransfer.words import Arm

SizeKind = Literal["output", "change", "weight", "update"]
# A gradient this small relative to the largest, or a change relative to the output, is rounding
# error, which Adam would amplify.
ROUNDING = 1e-6
POWER_ITERATIONS = 20
# The RMS of fewer random entries scatters too much (9 %) to show how it depends on width.
MIN_DRAWN = 64
# `choose_lr` accepts an LR at which the median module changes by at most this share of its output.
CHANGED = 0.5


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """A short training run that a check measures.

    Attributes:
        model: Initialized, not yet trained.
        optimizer: Over all parameters of the model.
        plan: Plan of the model; see `mup.plan`.
        take_step: Runs one training step.
        probe: Runs the forward pass on a fixed batch, the same at every width.
        rule: What was chosen of the optimizer: a power of width of its own, the rule of its decay.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    plan: Plan
    take_step: Callable[[], object]
    probe: Callable[[], object]
    rule: OptimizerRule = ADAMW


# Called as start(arm, width, seed, lr).
StartRun = Callable[[Arm, int, int, float], CheckRun]


@dataclass(frozen=True, kw_only=True)
class MeasuredSize:
    """A size of one module's output or of one parameter; `role` is None for a module."""

    arm: Arm
    width: int
    seed: int
    step: int
    kind: SizeKind
    name: str
    role: str | None
    size: float


def measure(
    start: StartRun,
    *,
    widths: Sequence[int],
    seeds: Iterable[int],
    steps: int,
    lr: float,
    arm: Arm = "mup",
) -> Iterator[MeasuredSize]:
    """Yield the sizes of every module and parameter at every width, seed and step.

    Args:
        start: Returns the run of (arm, width, seed, lr); data are equal for all arms and widths.
        widths: Widths of the models.
        seeds: Seeds of initialization and data.
        steps: Training steps of each run.
        lr: Base LR, large enough that the updates matter; see `choose_lr`.
        arm: Parametrization; SP is the negative control.
    """
    for seed in seeds:
        for width in widths:
            for step, kind, name, role, size in sizes(start(arm, width, seed, lr), steps):
                yield MeasuredSize(
                    arm=arm,
                    width=width,
                    seed=seed,
                    step=step,
                    kind=kind,
                    name=name,
                    role=role,
                    size=size,
                )


def of_trial(config: TrialConfig) -> CheckRun:
    """Return the check run of a trial; the probe is its first training batch.

    Raises:
        ConfigError: as `Training`.
    """
    run = Training(config)
    first_batch = run.task.inputs(0)
    return CheckRun(
        model=run.model,
        optimizer=run.optimizer,
        plan=training.plan(config),
        take_step=run.take_step,
        probe=lambda: run.losses(first_batch),
        rule=config.train.optimizer,
    )


def choose_lr(start: StartRun, *, base_width: int, steps: int, log2_lrs: Iterable[int]) -> float:
    """Return the largest LR at which, at base width, the median module changes by at most half.

    At a smaller LR the initial values would hide what the updates do; at a larger one the seeds
    scatter more.

    Args:
        start: As in `measure`.
        base_width: Width at which both arms are the same model.
        steps: Training steps.
        log2_lrs: Candidates, in falling order; the last one is taken if none fits.
    """
    lr = 1.0
    for log2_lr in log2_lrs:
        lr = 2.0**log2_lr
        measured = list(sizes(start("mup", base_width, 0, lr), steps))
        last = {(kind, name): size for step, kind, name, _, size in measured if step == steps}
        ratios = sorted(
            _share(size, last["output", name])
            for (kind, name), size in last.items()
            if kind == "change" and not size <= 0
        )
        if ratios and ratios[len(ratios) // 2] <= CHANGED:
            break
    return lr


def _share(change: float, output: float) -> float:
    """Return a change as a share of an output; infinite where the LR made either no number."""
    share = change / output if output else math.inf
    return share if math.isfinite(share) else math.inf


def sizes(run: CheckRun, steps: int) -> Iterator[tuple[int, SizeKind, str, str | None, float]]:
    """Yield (step, kind, name, role, size) of one run: weights at step 0, the others at each step.

    A weight of fewer than `MIN_DRAWN` entries has no size at initialization. Then the weights of
    `inner_outputs` are set to zero.
    """
    rows = run.plan["params"]
    parameters = {name: owner.parameter for name, owner in owners(run.model).items()}
    at_init = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    for name, value in at_init.items():
        if value.numel() < MIN_DRAWN:
            continue
        yield 0, "weight", name, rows[name]["role"], init_size(value, rows[name])
    for name in inner_outputs(run):
        parameters[name].detach().zero_()
        at_init[name].zero_()
    first = trace(run.model, run.probe).outputs
    squares = dict.fromkeys(parameters, 0.0)  # of each gradient, summed over the steps
    for step in range(steps + 1):
        if step:
            with _summing_gradients(parameters, squares):
                run.take_step()
            trained = _trained(squares)
            for name, parameter in parameters.items():
                update = parameter.detach() - at_init[name]
                size = update_size(update, rows[name]) if name in trained else 0.0
                yield step, "update", name, rows[name]["role"], size
        outputs = trace(run.model, run.probe).outputs if step else first
        for name, values in outputs.items():
            size = _rms(values)
            yield step, "output", name, None, size
            if step:
                change = _rms([a - b for a, b in zip(values, first[name], strict=True)])
                is_rounding = change <= ROUNDING * size
                yield step, "change", name, None, 0.0 if is_rounding else change


def inner_outputs(run: CheckRun) -> list[str]:
    """Return the weights that read the width, do not write it, and feed hidden layers.

    For example the keys and values of a fixed number of heads (multi-query attention). What such a
    weight drew falls with width by the rule and so, for the first steps, does the change of what
    depends on it: an artefact of initialization. From zero the change shows what updates do.
    """
    rows, owner_of = run.plan["params"], owners(run.model)
    paths = {id(module): plain_name(path) for path, module in run.model.named_modules()}
    of_role: dict[str, list[str]] = {}
    for name, row in rows.items():
        of_role.setdefault(row["role"], []).append(name)
    drawn = [n for n in of_role.get("output", []) if rows[n].get("own_init") != "kept"]
    candidates = [n for n in drawn if paths[id(owner_of[n].module)]]
    if not candidates:
        return []
    recorded = trace(run.model, run.probe, with_graph=True)
    hidden = {paths[id(owner_of[name].module)] or MODEL for name in of_role.get("hidden", [])}
    targets = [t for path in hidden for t in recorded.outputs.get(path, ())]
    return [n for n in candidates if feeds(recorded, paths[id(owner_of[n].module)], targets)]


def init_size(value: Tensor, row: Row) -> float:
    """Return √fan_in · multiplier · RMS of a weight at initialization; for a vector, its RMS."""
    return math.sqrt(row["fan_in"]) * _multiplier(row) * _rms([value])


def update_size(value: Tensor, row: Row) -> float:
    """Return √(fan_in / fan_out) · multiplier · ‖ΔW‖₂ of an update; for a vector, its RMS."""
    if row["role"] in ("vector", "scalar") or value.ndim < 2:
        return _rms([value])
    fan_out = value.numel() / row["fan_in"]
    return math.sqrt(row["fan_in"] / fan_out) * _multiplier(row) * spectral_norm(value.flatten(1))


def _multiplier(row: Row) -> float:
    """Return the multiplier of a readout; a table that a readout shares is measured as a table."""
    return row["input_mult"] if row["role"] == "output" else 1.0


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


@contextmanager
def _summing_gradients(
    parameters: Mapping[str, nn.Parameter], squares: dict[str, float]
) -> Iterator[None]:
    """Add the mean square of each gradient of a `with` block to `squares`.

    Read as the backward pass accumulates them: a step may set them to None, and the state of an
    optimizer tells them for some optimizers alone.
    """

    def add(name: str, parameter: Tensor) -> None:
        if parameter.grad is not None:
            squares[name] += parameter.grad.double().square().mean().item()

    hooks = [
        parameter.register_post_accumulate_grad_hook(partial(add, name))
        for name, parameter in parameters.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _trained(squares: Mapping[str, float]) -> set[str]:
    """Return the parameters whose gradient exceeds rounding error (that of a key bias does not)."""
    largest = max(squares.values(), default=0.0)
    # Written so that NaN counts as trained.
    return {name for name, square in squares.items() if not square <= ROUNDING**2 * largest}


def _rms(values: Iterable[Tensor]) -> float:
    flat = torch.cat([value.flatten().double() for value in values])
    return flat.square().mean().sqrt().item()
