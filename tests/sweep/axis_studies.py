"""Studies along batch size, steps and depth, with planted laws."""

import math
from functools import lru_cache

import numpy as np

from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.judge import judge
from mutransfer.proxies import training as trials
from mutransfer.sweep.plan.question import study_question
from mutransfer.sweep.results.analyze import Analysis
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play

AXES = {
    "batch_size": ("batch_sizes: [16, 32, 64]", "batch_size: 128", "sqrt_batch"),
    "steps": ("steps: [6, 12, 24]", "steps: 48", "horizon"),
    "depth": ("depths: [1, 2, 4]", "depth: 8", "completep"),
}


SHIFTS = {"sqrt_batch": 0.5, "horizon": -0.5, "completep": 0.0}


def text_of(axis: str, *, rule: bool = False, seeds: int = 3, **changes: str) -> str:
    ladder, target, name = AXES[axis]
    scaling = f", rule: {name}, control: unscaled" if rule else ""
    pairs = {
        "transfer: {parameters: [lr], widths: [8, 16], points: 3": (
            f"transfer: {{axis: {axis}, parameters: [lr], {ladder}{scaling}, points: 7"
        ),
        "seeds: 2, max_extend: 1,\n      control: sp}": f"seeds: {seeds}, max_extend: 2}}",
        "target: {width: 32,": f"target: {{{target},",
        "check: slices, points: 3, seeds: 2": f"check: slices, points: 7, seeds: {seeds}",
        "min: 2^-9, max: 2^-5": "min: 2^-10, max: 2^-4",
        **changes,
    }
    text = TINY
    for was, now in pairs.items():
        assert text.count(was) == 1, was
        text = text.replace(was, now)
    return text


def law(axis: str, drift: float, noise: float = 2e-4):
    """A loss whose best effective LR moves by ``drift`` octaves per doubling of the axis.

    The effect of a scaling rule on the effective LR is that of the rule table.
    """

    def loss(config) -> float:
        doublings = math.log2(
            config.axis_value(axis) / {"batch_size": 16, "steps": 6, "depth": 1}[axis]
        )
        # Under CompleteP the stream moves as in a model of base depth.
        scale = trials.factors(config)
        effective = math.log2(config.hps.lr * scale.lr) + math.log2(scale.residual)
        away = effective + 7.3 - drift * doublings
        rng = np.random.default_rng(
            [config.seed, int(1e9 * config.hps.lr), config.axis_value(axis)]
        )
        return 1 - 0.05 * doublings + 0.03 * away**2 + 1e-3 * config.seed + noise * rng.normal()

    return loss


@lru_cache
def analysis_of(text: str, axis: str, drift: float, noise: float = 2e-4) -> Analysis:
    """The analysis of a whole study of a planted law."""
    study = study_of(text)
    decisions, table, plan = play(study, law(axis, drift, noise))
    assert plan.finished
    question = study_question(study, decisions)
    fits = gather(table, question)
    verdict = judge(table, question, fits=fits)
    return Analysis(verdict=verdict, question=question, fits=fits, table=table)
