"""The cost of a study, before and while it runs: trials, FLOPs and time by stage."""

import dataclasses
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mutransfer.analysis.transfer.star_design import FIVE_FIRST, Look
from mutransfer.analysis.verdict.cost import Cost, ReferenceRuns, total
from mutransfer.proxies import data
from mutransfer.proxies.config.model import CustomConfig
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.training.flops import n_params, step_flops, training_flops
from mutransfer.proxies.training.train import Training
from mutransfer.sweep.plan.next_trials import nominal
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.spec.study import Study
from mutransfer.words import STAGES, Stage

MAX_TIMED_FLOPS = 1e12  # per step; larger steps are not timed on this machine
# What the time of a step depends on: width, depth (0: not known) and batch size.
StepSize = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """One line of `mutransfer plan`; ``train_s`` is None where no speed is known."""

    stage: Stage
    n_trials: int
    axis_values: tuple[int, ...]
    flops: float
    train_s: float | None


def target_flops(study: Study) -> float:
    """Training FLOPs of one run at the target: the unit of a sweep's cost."""
    return training_flops(typical(study, study.target_at))


def production_flops(study: Study) -> float | None:
    """Training FLOPs of the production run; None where the spec names none.

    The depth is that of the target. FLOPs of a user's own model, which is run to count them, are
    taken to grow with its parameters, as in arXiv 2505.15270: the production model may not fit
    into this machine.
    """
    production = study.production
    if production is None:
        return None
    target = typical(study, study.target_at)
    at_production = dataclasses.replace(target, width=production.width)
    if isinstance(study.model, CustomConfig):
        one_step = step_flops(target) * n_params(at_production) / n_params(target)
    else:
        one_step = step_flops(at_production)
    n_samples = production.steps * production.batch_size
    return n_samples * one_step / target.train.batch_size


def reference_runs(study: Study) -> ReferenceRuns:
    """The runs that the cost of a study is compared with."""
    return ReferenceRuns(
        target_flops=target_flops(study),
        production_flops=production_flops(study),
        n_searched=study.search.trials,
    )


def nominal_cost(study: Study, plans: Iterable[StagePlan]) -> Cost:
    """The cost of a study that has not run, of which ``plans`` are the stages."""
    return total({plan.stage: (plan.n_trials, plan.flops) for plan in plans}, reference_runs(study))


def typical(study: Study, axis_value: int) -> TrialConfig:
    """A trial at an axis value, each HP in the middle of its range."""
    hps = {name: distribution.middle for name, distribution in study.parameters.items()}
    return trial(study, axis_value=axis_value, arm="mup", hps=hps, seed=0)


def paper_share(study: Study) -> float:
    """The search's cost over that of one production run, counted as in arXiv 2505.15270.

    Cost is parameters × batch × steps; without a `production` section the unit is one run at the
    target.
    """

    def volume(config: TrialConfig) -> int:
        return n_params(config) * config.train.batch_size * config.train.steps

    search = study.search.trials * volume(typical(study, study.search_at))
    target, production = typical(study, study.target_at), study.production
    if production is None:
        return search / volume(target)
    n_production = n_params(dataclasses.replace(target, width=production.width))
    return search / (n_production * production.batch_size * production.steps)


def tuning_share_at_production(study: Study) -> float | None:
    """The cost of the search's HP sets at the production width over that of the production run.

    Each is trained once, for as long as a trial of the study; None where the target has that width
    or no production run is named.
    """
    production, train = study.production, study.train
    if production is None or production.width == typical(study, study.target_at).width:
        return None
    samples = train.steps * train.batch_size
    return study.search.trials * samples / (production.steps * production.batch_size)


def stages(
    study: Study, step_s: Mapping[StepSize, float], looks: Sequence[Look] = FIVE_FIRST
) -> list[StagePlan]:
    """The trials and FLOPs of each stage if no slice has to be extended or refined.

    Args:
        study: The study.
        step_s: Seconds of a training step by size; some sizes may be missing.
        looks: The looks that a star takes, where it may take as many.
    """
    by_stage: dict[Stage, list[TrialRequest]] = defaultdict(list)
    for request in nominal(study, looks):
        by_stage[request.asked_by].append(request)
    return [
        StagePlan(
            stage=stage,
            n_trials=len(requests),
            axis_values=tuple(
                sorted({request.config.axis_value(study.axis) for request in requests})
            ),
            flops=sum(training_flops(request.config) for request in requests),
            train_s=seconds(requests, step_s),
        )
        for stage in STAGES
        if (requests := by_stage[stage])
    ]


def total_s(plans: Iterable[StagePlan]) -> float | None:
    """Training seconds of all stages, one trial after the other; None where one is unknown."""
    seconds_of_stages = [plan.train_s for plan in plans]
    known_seconds = [s for s in seconds_of_stages if s is not None]
    return sum(known_seconds) if len(known_seconds) == len(seconds_of_stages) else None


def seconds(requests: Iterable[TrialRequest], step_s: Mapping[StepSize, float]) -> float | None:
    """Training seconds of ``requests``, one after the other; None where no speed is known.

    A size that was not timed is given the nearest timed size's seconds times the square root of
    the ratio of FLOPs: between launch-bound (no growth) and compute-bound (in proportion).
    """
    if not step_s:
        return None
    return sum(
        request.config.train.steps * _one_step_s(request.config, step_s) for request in requests
    )


def _one_step_s(config: TrialConfig, step_s: Mapping[StepSize, float]) -> float:
    if (size := size_of(config)) in step_s:
        return step_s[size]
    ratios = {timed: step_flops(config) / step_flops(_of_size(config, timed)) for timed in step_s}
    nearest = min(ratios, key=lambda timed: abs(math.log(ratios[timed])))
    return float(step_s[nearest] * math.sqrt(ratios[nearest]))


def size_of(config: TrialConfig) -> StepSize:
    """The size of a trial that the time of its steps depends on."""
    return config.width, getattr(config.model, "depth", 0), config.train.batch_size


def _of_size(config: TrialConfig, size: StepSize) -> TrialConfig:
    width, depth, batch_size = size
    model: Any = config.model  # depth is 0 where its class has none
    return dataclasses.replace(
        config,
        width=width,
        model=dataclasses.replace(model, depth=depth) if depth else model,
        train=dataclasses.replace(config.train, batch_size=batch_size),
    )


def measured_step_s(rows: Iterable[Mapping[str, Any]]) -> dict[StepSize, float]:
    """Seconds of a training step by size, from finished rows."""
    step_s: dict[StepSize, list[float]] = defaultdict(list)
    for row in rows:
        if row["status"] == "done" and row["train_s"] and row["steps"]:
            size = row["width"], row["depth"] or 0, row["batch_size"]
            step_s[size].append(row["train_s"] / row["steps"])
    return {size: sum(of_size) / len(of_size) for size, of_size in step_s.items()}


def timed_step_s(study: Study) -> dict[StepSize, float]:
    """Seconds of a training step by size, from a few real steps on this machine.

    Empty where this machine lacks the study's device or data, and for the study of a run directory,
    whose data and code are not used; sizes of more than ``MAX_TIMED_FLOPS`` a step are left out.
    """
    if study.recorded is not None or not data.is_present(study.data):
        return {}
    if study.resources.device == "cuda" and not torch.cuda.is_available():
        return {}
    timed: dict[StepSize, float] = {}
    for config in (typical(study, axis_value) for axis_value in study.axis_values):
        if step_flops(config) <= MAX_TIMED_FLOPS and size_of(config) not in timed:
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
