"""What a study costs before and while it runs: trials, FLOPs and time by stage."""

import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from proxies.config import TrialConfig
from proxies.flops import step_flops, training_flops
from proxies.train import Training
from sweep.ask import Ask, trial
from sweep.plan import STAGES, nominal
from sweep.spec import Study

TOO_LARGE = 1e12


@dataclass(frozen=True, kw_only=True)
class StageCost:
    """One line of `mutransfer plan`; ``train_s`` is None where no speed is known."""

    stage: str
    n_trials: int
    widths: tuple[int, ...]
    flops: float
    train_s: float | None


def target_flops(study: Study) -> float:
    """Training FLOPs of one run at the target width: the unit in which a sweep's cost is told."""
    hps = {name: found.middle for name, found in study.parameters.items()}
    return training_flops(trial(study, width=study.target.width, arm="mup", hps=hps, seed=0))


def stages(study: Study, flops_per_s: Mapping[int, float]) -> list[StageCost]:
    """The cost of each stage if no slice has to be extended or refined.

    Args:
        study: The study.
        flops_per_s: Measured speed of one trial, by width; may lack widths.
    """
    by_stage: dict[str, list[Ask]] = defaultdict(list)
    for ask in nominal(study):
        by_stage[ask.asked_by].append(ask)
    return [
        StageCost(
            stage=stage,
            n_trials=len(asks),
            widths=tuple(sorted({ask.config.width for ask in asks})),
            flops=sum(training_flops(ask.config) for ask in asks),
            train_s=seconds(asks, flops_per_s),
        )
        for stage in STAGES
        if (asks := by_stage[stage])
    ]


def total_s(costs: Iterable[StageCost]) -> float | None:
    """Training seconds of all stages, one trial after the other; None where one is unknown."""
    each = [cost.train_s for cost in costs]
    return None if None in each else sum(s for s in each if s is not None)


def seconds(asks: Iterable[Ask], flops_per_s: Mapping[int, float]) -> float | None:
    """Training seconds of ``asks``, one after the other; None where no speed is known.

    A width without a measured speed gets that of the nearest width: narrow models are slow for
    their FLOPs, so the speed of a far width says little.
    """
    if not flops_per_s:
        return None
    total = 0.0
    for ask in asks:
        width = ask.config.width
        nearest = min(flops_per_s, key=lambda known: (abs(known - width), known))
        total += training_flops(ask.config) / flops_per_s[nearest]
    return total


def speeds(rows: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """Measured training speed by width, FLOPs per second, from finished rows."""
    flops: Counter[int] = Counter()
    spent: Counter[int] = Counter()
    for row in rows:
        if row.get("flops") and row.get("train_s") and row["train_s"] > 0:
            flops[row["width"]] += row["flops"]
            spent[row["width"]] += row["train_s"]
    return {width: flops[width] / spent[width] for width in flops}


def timed_speeds(study: Study) -> dict[int, float]:
    """Speed by width of a few real training steps on this machine, FLOPs per second.

    Empty where this machine has not the study's device; widths of more than ``TOO_LARGE`` FLOPs
    a step are left out.
    """
    if study.resources.device == "cuda" and not torch.cuda.is_available():
        return {}
    hps = {name: found.middle for name, found in study.parameters.items()}
    speeds_by_width = {}
    for width in sorted({*study.transfer.widths, study.target.width}):
        config = trial(study, width=width, arm="mup", hps=hps, seed=0)
        flops = step_flops(config)
        if flops <= TOO_LARGE:
            speeds_by_width[width] = flops / _step_s(config)
    return speeds_by_width


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
