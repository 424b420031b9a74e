"""How many steps μP needs to the final loss of SP at the same width, as a ratio.

The measure of arXiv 2505.15270 (its 2.9 for DiT-XL-2), on the validation loss: steps of SP to its
final loss over steps of μP to that loss, each seed with itself, as a geometric mean.

The rule of reaching is the same for both arms. A validation curve jitters, so the first time that
it touches a loss is too early and the last time that it leaves it too late. So each curve is made
monotone by isotonic regression, which averages runs of points that do not fall; a run stands at the
mean of its log steps, and between runs the loss is linear in log step. SP's final loss is the value
of its last run, and SP reaches it there. Equal curves give 1, and a curve that falls at every
point is taken as it is.

A seed whose μP run never reaches that loss has no ratio, only a bound: below the ratio that
reaching it at the last step would give. With one such seed or more a number would be invented, so
there is a one-sided bound instead. Nothing here enters the verdict.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.slice import equals
from mutransfer.analysis.table.table import hp_columns
from mutransfer.analysis.transfer.isotonic import monotone, reached

LEVEL = 0.95
Baseline = Literal["default", "tuned"]
Kind = Literal["measured", "bound", "none"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is compared, at one width.

    Attributes:
        width: Model width of all runs.
        seeds: Seeds; each is compared with itself.
        steps: Steps of a run.
        n_val: Validations of a run, by which its rows are told from others of the same HPs.
        is_annealed: The LR falls towards the end of a run.
        mup: All HPs of the transferred set.
        sp_default: All HPs of SP untuned.
        sp_tuned: All HPs of SP with its own LR; None as long as that is not chosen, or if SP
            trained at no LR.
        sp_tuned_flags: Remarks on that LR.
    """

    width: int
    seeds: tuple[int, ...]
    steps: int
    n_val: int
    is_annealed: bool
    mup: Mapping[str, float | None]
    sp_default: Mapping[str, float | None]
    sp_tuned: Mapping[str, float | None] | None
    sp_tuned_flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One training: its status and its validation curve, (K,) steps and losses."""

    seed: int
    status: str
    steps: np.ndarray
    losses: np.ndarray
    flops_per_step: float | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One seed of both arms.

    Attributes:
        seed: The seed.
        loss: Final loss of the SP run, made monotone; what is to be reached.
        sp_step: Step at which SP reaches it, by the rule.
        mup_step: The same of μP; None where it does not.
        mup_last_step: Last step at which μP could have been seen to reach it.
    """

    seed: int
    loss: float
    sp_step: float
    mup_step: float | None
    mup_last_step: float

    @property
    def log2_ratio(self) -> float:
        """log2 of SP's steps over μP's; where μP does not get there an upper bound of it."""
        return math.log2(self.sp_step / (self.mup_step or self.mup_last_step))


@dataclass(frozen=True, kw_only=True)
class SpeedUp:
    """μP against one SP baseline.

    Attributes:
        baseline: ``default`` or ``tuned``.
        lr: LR of the baseline.
        kind: ``measured``: a ratio; ``bound``: only ``below``, since some seed's μP run does not
            reach the loss; ``none``: neither, for ``reason``.
        ratio: Geometric mean of SP's steps over μP's.
        low, high: Its 95 % interval, Student's t on the log ratios; None with one seed.
        below: Where ``kind`` is ``bound``: an upper bound of the geometric mean, Student's t on the
            log ratios with a bound in place of each unreached one; if no seed gets there, the
            largest of their bounds.
        below_level: Confidence of ``below``: 0.95; if no seed gets there 1 − 2^−n, that of a
            sign test of n seeds.
        flops_factor: FLOPs of an SP step over those of a μP step, by which each figure is
            multiplied to give the ratio of FLOPs; None if unknown.
        pairs: The seeds that rest on a finished SP run.
        n_unreached: Pairs whose μP run does not reach the loss.
        difference: Mean over seeds of μP's final loss minus SP's.
        difference_low, difference_high: Its 95 % interval.
        reason: Why there is no figure, else None.
    """

    baseline: Baseline
    lr: float
    kind: Kind
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    below: float | None = None
    below_level: float | None = None
    flops_factor: float | None = None
    pairs: tuple[Pair, ...] = ()
    n_unreached: int = 0
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """What a study says about convergence; `to_dict` gives plain data."""

    comparison: Comparison
    speed_ups: tuple[SpeedUp, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "width": self.comparison.width,
            "steps": self.comparison.steps,
            "n_val": self.comparison.n_val,
            "is_annealed": self.comparison.is_annealed,
            "sp_tuned_flags": list(self.comparison.sp_tuned_flags),
            "speed_ups": [dataclasses.asdict(s) | {"pairs": _plain(s)} for s in self.speed_ups],
        }


def _plain(found: SpeedUp) -> list[dict[str, Any]]:
    return [dataclasses.asdict(p) | {"log2_ratio": p.log2_ratio} for p in found.pairs]


def converge(df: pd.DataFrame, curves: pd.DataFrame, asked: Comparison) -> Convergence:
    """Return the speed-up of μP over SP with its default and with its own LR.

    Args:
        df: A validated results table.
        curves: Training curves: columns trial_id, step, val_loss.
        asked: What is compared.
    """
    mup = runs(df, curves, asked, "mup", asked.mup)
    baselines: list[tuple[Baseline, Mapping[str, float | None]]] = [("default", asked.sp_default)]
    if asked.sp_tuned is not None:
        baselines.append(("tuned", asked.sp_tuned))
    found = [
        speed_up(runs(df, curves, asked, "sp", hps), mup, baseline=name, lr=hps["lr"] or 0.0)
        for name, hps in baselines
    ]
    return Convergence(comparison=asked, speed_ups=tuple(found))


def runs(
    df: pd.DataFrame,
    curves: pd.DataFrame,
    asked: Comparison,
    arm: str,
    hps: Mapping[str, float | None],
) -> list[Run]:
    """Return the runs of an HP set in an arm, by seed; rows are found by their HP values."""
    keep = (df["arm"] == arm).to_numpy() & (df["width"] == asked.width).to_numpy()
    keep &= (df["n_val"] == asked.n_val).fillna(False).to_numpy(dtype=bool)
    keep &= df["seed"].isin(asked.seeds).to_numpy()
    for column in hp_columns(df):
        keep &= equals(df[column].to_numpy(), hps.get(column.removeprefix(HP_PREFIX)))
    return [_run(row, curves) for row in df[keep].sort_values("seed").to_dict("records")]


def _run(row: Mapping[Any, Any], curves: pd.DataFrame) -> Run:
    points = curves[(curves["trial_id"] == row["trial_id"]) & curves["val_loss"].notna()]
    points = points[points["step"] > 0].sort_values("step")
    is_known = row["status"] == "done" and row["steps"] and not pd.isna(row["flops"])
    return Run(
        seed=int(row["seed"]),
        status=str(row["status"]),
        steps=points["step"].to_numpy(dtype=float),
        losses=points["val_loss"].to_numpy(dtype=float),
        flops_per_step=float(row["flops"]) / float(row["steps"]) if is_known else None,
    )


def speed_up(sp: Sequence[Run], mup: Sequence[Run], *, baseline: Baseline, lr: float) -> SpeedUp:
    """Return μP's speed-up over one baseline, seeds paired.

    A μP run that diverged does not reach the loss; failed runs are missing. An SP run that
    diverged has no final loss, and those beside it are a selected sample, so that there is none.
    """
    reason = _reason(sp, mup)
    if reason is not None:
        return SpeedUp(baseline=baseline, lr=lr, kind="none", reason=reason)
    other = {run.seed: run for run in mup if _counts(run)}
    usable = [run for run in sp if run.status == "done" and len(run.steps)]
    both = [(run, other[run.seed]) for run in usable if run.seed in other]
    pairs = tuple(_pair(a, b) for a, b in both)
    n_unreached = sum(pair.mup_step is None for pair in pairs)
    log2 = np.array([pair.log2_ratio for pair in pairs])
    middle = 2.0 ** float(log2.mean())
    losses = [b.losses[-1] - a.losses[-1] for a, b in both if b.status == "done"]
    difference = _mean(np.array(losses))
    known = SpeedUp(
        baseline=baseline,
        lr=lr,
        kind="bound" if n_unreached else "measured",
        pairs=pairs,
        n_unreached=n_unreached,
        flops_factor=_flops_factor(sp, mup),
        difference=difference[0],
        difference_low=difference[1],
        difference_high=difference[2],
    )
    if n_unreached == len(pairs):
        level = 1 - 0.5 ** len(pairs)
        return dataclasses.replace(known, below=2.0 ** float(log2.max()), below_level=level)
    if n_unreached:
        half = _half(log2, one_sided=True) or 0.0
        return dataclasses.replace(known, below=middle * 2.0**half, below_level=LEVEL)
    width = _half(log2)
    low, high = (None, None) if width is None else (middle * 2.0**-width, middle * 2.0**width)
    return dataclasses.replace(known, ratio=middle, low=low, high=high)


def _reason(sp: Sequence[Run], mup: Sequence[Run]) -> str | None:
    dead = sum(run.status == "diverged" for run in sp)
    if dead:
        return f"SP diverged with {dead} of {len(sp)} seeds, so it has no final loss to reach"
    with_curve = {run.seed for run in sp if run.status == "done" and len(run.steps)}
    also = {run.seed for run in mup if _counts(run)}
    if not with_curve & also:
        return "no seed has a validation curve of both arms"
    return None


def _counts(mup: Run) -> bool:
    """Whether a μP run says when it gets there, or that it does not."""
    return mup.status == "diverged" or (mup.status == "done" and len(mup.steps) > 0)


def _pair(sp: Run, mup: Run) -> Pair:
    log2_steps, losses = monotone(sp.steps, sp.losses)
    loss, dead = float(losses[-1]), mup.status == "diverged"
    return Pair(
        seed=sp.seed,
        loss=loss,
        sp_step=float(2.0 ** log2_steps[-1]),
        mup_step=None if dead else reached(*monotone(mup.steps, mup.losses), loss),
        mup_last_step=float(sp.steps[-1] if dead else mup.steps[-1]),
    )


def _half(values: np.ndarray, *, one_sided: bool = False) -> float | None:
    """Half the length of Student's interval of a mean; None of one value."""
    if len(values) < 2:
        return None
    level = LEVEL if one_sided else 0.5 + LEVEL / 2
    quantile = float(special.stdtrit(len(values) - 1, level))
    return quantile * float(values.std(ddof=1)) / math.sqrt(len(values))


def _mean(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Mean and its 95 % interval."""
    if not len(values):
        return None, None, None
    mean, half = float(values.mean()), _half(values)
    return (mean, None, None) if half is None else (mean, mean - half, mean + half)


def _flops_factor(sp: Sequence[Run], mup: Sequence[Run]) -> float | None:
    a = [run.flops_per_step for run in sp if run.flops_per_step]
    b = [run.flops_per_step for run in mup if run.flops_per_step]
    return float(np.mean(a) / np.mean(b)) if a and b else None
