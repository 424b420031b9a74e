"""What the dense sweep of each family runs: the model of a shipped study, many LRs, many seeds."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.spec import reader, space
from mutransfer.sweep.spec.study import Study

SPEC = Path(__file__).parents[2] / "sweeps.yaml"


@dataclass(frozen=True, kw_only=True)
class Design:
    """A dense sweep of lr under μP.

    Attributes:
        study: The study of sweeps.yaml whose model, data and training it has.
        steps: Training steps.
        widths: Widths, each with the same values and seeds.
        log2_lr: log2 of the values of lr.
        seeds: Number of seeds, from 1.
        hps: The other HPs that do not have their defaults.
    """

    study: str
    steps: int
    widths: tuple[int, ...]
    log2_lr: tuple[float, ...]
    seeds: int
    hps: Mapping[str, float]

    def read_study(self) -> Study:
        """The study, with this design's number of steps."""
        study = reader.read(SPEC, (self.study,))[self.study]
        return dataclasses.replace(study, train=dataclasses.replace(study.train, steps=self.steps))

    def requests(self, study: Study) -> Iterator[TrialRequest]:
        """Every trial, one seed after another: what has run is a whole design of fewer seeds."""
        for seed in range(1, self.seeds + 1):
            for log2_lr in self.log2_lr:
                for width in self.widths:
                    hps = {**self.hps, "lr": space.rounded("lr", 2.0**log2_lr)}
                    config = trial(study, axis_value=width, arm="mup", hps=hps, seed=seed)
                    yield TrialRequest(config=config, asked_by="slices")


def lattice(low: float, high: float, spacing: float) -> tuple[float, ...]:
    """The values `spacing` octaves apart from `low` to `high`."""
    return tuple(np.arange(low, high + spacing / 2, spacing).tolist())


# Every lattice of 7 values an octave apart about the best (near 2^-6, 2^-6.75) is present; values
# that diverge cost little.
DIT_LR = (-11.0, -10.0, *lattice(-9.0, -2.75, 0.25))
UVIT_LR = (-11.0, *lattice(-10.0, -2.75, 0.25))
# Emoji have 64 tokens: fewer values and seeds, and smaller widths, for the same minutes.
EMOJI_LR = lattice(-9.0, -2.0, 0.5)
EMOJI_HPS = {"grad_clip": 1.0}

DESIGNS: Mapping[str, Design] = {
    "dit": Design(
        study="digits-dit", steps=220, widths=(32, 128), log2_lr=DIT_LR, seeds=16, hps={}
    ),
    # The study's 1000 steps would take three times as long.
    "uvit": Design(
        study="digits-uvit", steps=300, widths=(32, 64), log2_lr=UVIT_LR, seeds=4, hps={}
    ),
    "pixart": Design(
        study="emoji-pixart", steps=220, widths=(16, 32), log2_lr=EMOJI_LR, seeds=4, hps=EMOJI_HPS
    ),
    "mmdit": Design(
        study="emoji-mmdit", steps=200, widths=(16, 32), log2_lr=EMOJI_LR, seeds=5, hps=EMOJI_HPS
    ),
}
