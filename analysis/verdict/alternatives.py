"""What the transferred value loses at the target, in several units, beside other values."""

from dataclasses import dataclass

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.table.slice import log2_of, mean_loss
from mutransfer.analysis.transfer.regret import Regret, regret
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.question import TransferQuestion


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The regret of one value at one width: estimate, lower and upper bound in each unit.

    Attributes:
        name: transferred, one octave lower, one octave higher, default, or SP's.
        hp: The HP.
        arm: ``mup`` or the control: whose slice it was read from.
        axis_value: At which place of the axis.
        log2_x: log2 of the value.
        in_loss: In loss; None where nothing can be said (off the curve and not run).
        percent: In % of the best loss there.
        seed_noise: In standard deviations of one loss from seed to seed.
        width_gain: In shares of what width gains, best loss at the search width minus best
            loss here (Ghosh et al. 2025: c/a); None where width gains nothing.
        note: Where nothing can be read from the curve: what the nearest values say.
    """

    name: str
    hp: str
    arm: str
    axis_value: int
    log2_x: float
    in_loss: tuple[float, float, float] | None
    percent: tuple[float, float, float] | None
    seed_noise: tuple[float, float, float] | None
    width_gain: tuple[float, float, float] | None
    note: str


def alternatives(evidence: Fits, question: TransferQuestion) -> tuple[Loss, ...]:
    """Return what the transferred value, ±1 octave, a given default and SP's value lose.

    SP's value is the control's optimum at the search width, kept as the width grows, as somebody
    without μP would; its regret is that in SP's own slice at the widest width that has one.
    """
    value = (question.transferred or {}).get(evidence.hp)
    if evidence.target is None or value is None or value <= 0:
        return ()
    x = log2_of(value)
    asked = {"transferred": x, "one octave lower": x - 1, "one octave higher": x + 1}
    default = question.defaults.get(evidence.hp)
    if default is not None and default > 0:
        asked["default"] = log2_of(default)
    search = evidence.ladder["mup", question.search_at]
    found = [_loss(name, evidence.target, search, at) for name, at in asked.items()]
    return (*found, *_of_control(evidence, question))


def _of_control(evidence: Fits, question: TransferQuestion) -> list[Loss]:
    arm = question.control or "sp"
    fits = [f for f in evidence.of_arm(arm) if f.ok and f.slice.axis_value > question.search_at]
    search = evidence.ladder.get((arm, question.search_at))
    carried = None if search is None else optimum(search).log2_opt
    if not fits or search is None or carried is None:
        return []
    name = "SP's own, transferred under SP" if arm == "sp" else "kept, without the rule"
    return [_loss(name, fits[-1], search, carried)]


def _loss(name: str, fitted: Fit, search: Fit, log2_x: float) -> Loss:
    found = regret(fitted, log2_x)
    here, before = optimum(fitted), optimum(search).loss
    gain = None if before is None or here.loss is None else before - here.loss
    return Loss(
        name=name,
        hp=fitted.slice.hp,
        arm=fitted.slice.arm,
        axis_value=fitted.slice.axis_value,
        log2_x=log2_x,
        in_loss=_in_units(found, 1.0),
        percent=_in_units(found, 100 / abs(here.loss) if here.loss else None),
        seed_noise=_in_units(found, 1 / here.noise_sd if here.noise_sd else None),
        width_gain=_in_units(found, 1 / gain if gain is not None and gain > 0 else None),
        note="" if found else _neighbours(fitted, log2_x, here.loss),
    )


def _neighbours(fitted: Fit, log2_x: float, best: float | None) -> str:
    """What the values on either side of one that is off the curve lose against the best."""
    x, means = fitted.slice.log2_x, mean_loss(fitted.slice)
    told = []
    for side, near in (
        ("below", np.flatnonzero(x < log2_x)[-1:]),
        ("above", np.flatnonzero(x > log2_x)[:1]),
    ):
        for i in near:
            if fitted.slice.diverged[i]:
                told.append(f"the value {side} it diverged")
            elif best is not None and np.isfinite(means[i]):
                told.append(f"the value {side} it loses {means[i] - best:.3g}")
    return "not run; " + " and ".join(told or ["outside the values"])


def _in_units(found: Regret | None, scale: float | None) -> tuple[float, float, float] | None:
    if found is None or scale is None:
        return None
    return found.estimate * scale, found.lower * scale, found.upper * scale
