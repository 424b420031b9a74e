"""What a study costs before and while it runs: trials, FLOPs and time by stage."""

import dataclasses
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mutransfer.proxies import data
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.training.flops import n_params, step_flops, training_flops
from mutransfer.proxies.training.train import Training
from mutransfer.sweep.plan.next_trials import nominal
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.spec.study import Study
from mutransfer.words import STAGES

TOO_LARGE = 1e12
# What a step's time depends on: width, depth (0: not known) and batch size.
Size = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class StageCost:
    """One line of `mutransfer plan`; ``train_s`` is None where no speed is known."""

    stage: str
    n_trials: int
    axis_values: tuple[int, ...]
    flops: float
    train_s: float | None


def target_flops(study: Study) -> float:
    """Training FLOPs of one run at the target: the unit in which a sweep's cost is told."""
    return training_flops(_typical(study, study.target_at))


def _typical(study: Study, axis_value: int) -> TrialConfig:
    """A trial at a place, each HP in the middle of its range."""
    hps = {name: found.middle for name, found in study.parameters.items()}
    return trial(study, axis_value=axis_value, arm="mup", hps=hps, seed=0)


def paper_share(study: Study) -> float:
    """Search as a share of one production run, counted as arXiv 2505.15270 does.

    Parameters × batch × steps; without a `production` section, of one run at the target.
    """

    def volume(config: TrialConfig) -> int:
        return n_params(config) * config.train.batch_size * config.train.steps

    searched = study.search.trials * volume(_typical(study, study.search_at))
    target, run = _typical(study, study.target_at), study.production
    if run is None:
        return searched / volume(target)
    produced = n_params(dataclasses.replace(target, width=run.width))
    return searched / (produced * run.batch_size * run.steps)


def stages(study: Study, step_s: Mapping[Size, float]) -> list[StageCost]:
    """The cost of each stage if no slice has to be extended or refined.

    Args:
        study: The study.
        step_s: Seconds of a training step by size; may lack sizes.
    """
    by_stage: dict[str, list[TrialRequest]] = defaultdict(list)
    for ask in nominal(study):
        by_stage[ask.asked_by].append(ask)
    return [
        StageCost(
            stage=stage,
            n_trials=len(asks),
            axis_values=tuple(sorted({ask.config.axis_value(study.axis) for ask in asks})),
            flops=sum(training_flops(ask.config) for ask in asks),
            train_s=seconds(asks, step_s),
        )
        for stage in STAGES
        if (asks := by_stage[stage])
    ]


def total_s(costs: Iterable[StageCost]) -> float | None:
    """Training seconds of all stages, one trial after the other; None where one is unknown."""
    each = [cost.train_s for cost in costs]
    return None if None in each else sum(s for s in each if s is not None)


def seconds(asks: Iterable[TrialRequest], step_s: Mapping[Size, float]) -> float | None:
    """Training seconds of ``asks``, one after the other; None where no speed is known.

    A size whose steps were not timed takes the nearest timed size's seconds times the root of
    the ratio of FLOPs: between launch-bound (no growth) and compute-bound (in proportion).
    """
    if not step_s:
        return None
    return sum(ask.config.train.steps * _one_step_s(ask.config, step_s) for ask in asks)


def _one_step_s(config: TrialConfig, step_s: Mapping[Size, float]) -> float:
    if (own := size_of(config)) in step_s:
        return step_s[own]
    ratios = {known: step_flops(config) / step_flops(_of_size(config, known)) for known in step_s}
    near = min(ratios, key=lambda known: abs(math.log(ratios[known])))
    return float(step_s[near] * math.sqrt(ratios[near]))


def size_of(config: TrialConfig) -> Size:
    """What the time of a trial's steps depends on."""
    return config.width, getattr(config.model, "depth", 0), config.train.batch_size


def _of_size(config: TrialConfig, size: Size) -> TrialConfig:
    width, depth, batch_size = size
    model: Any = config.model  # whose class has a depth, or else has none
    return dataclasses.replace(
        config,
        width=width,
        model=dataclasses.replace(model, depth=depth) if depth else model,
        train=dataclasses.replace(config.train, batch_size=batch_size),
    )


def measured_step_s(rows: Iterable[Mapping[str, Any]]) -> dict[Size, float]:
    """Seconds of a training step by size, from finished rows."""
    spent: dict[Size, list[float]] = defaultdict(list)
    for row in rows:
        if row["status"] == "done" and row["train_s"] and row["steps"]:
            size = row["width"], row["depth"] or 0, row["batch_size"]
            spent[size].append(row["train_s"] / row["steps"])
    return {size: sum(each) / len(each) for size, each in spent.items()}


def timed_step_s(study: Study) -> dict[Size, float]:
    """Seconds of a training step by size, from a few real steps on this machine.

    Empty where this machine has not the study's device or data; sizes of more than ``TOO_LARGE``
    FLOPs a step are left out.
    """
    if not data.is_present(study.data):
        return {}
    if study.resources.device == "cuda" and not torch.cuda.is_available():
        return {}
    timed: dict[Size, float] = {}
    for config in (_typical(study, axis_value) for axis_value in study.axis_values):
        if step_flops(config) <= TOO_LARGE and size_of(config) not in timed:
            timed[size_of(config)] = _step_s(config)
    return timed


def _step_s(config: TrialConfig) -> float:
    """Seconds of one step: a run of 12 steps less one of 4, so that validations cancel."""
    return max(1e-6, (_run_s(config, 12) - _run_s(config, 4)) / 8)


def _run_s(config: TrialConfig, steps: int) -> float:
    short = dataclasses.replace(config.train, steps=steps, log_every=steps, n_val=1)
    hps = dataclasses.replace(config.hps, warmup_steps=0)
    training = Training(dataclasses.replace(config, train=short, hps=hps))
    started = time.perf_counter()
    for _ in training.run():
        pass
    return time.perf_counter() - started
