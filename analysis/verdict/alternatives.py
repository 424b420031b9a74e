"""What the transferred value loses at the target, in several units, beside other values."""

from dataclasses import dataclass

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.table.slice import log2_of, mean_loss
from mutransfer.analysis.transfer.regret import Regret, regret
from mutransfer.analysis.transfer.star import regret_of_star
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """The regret of one value at one axis value: estimate, lower and upper bound in each unit.

    Attributes:
        name: transferred, one octave lower, one octave higher, default, or SP's.
        hp: The HP.
        arm: ``mup`` or the control: whose slice it was read from.
        axis_value: Axis value of that slice.
        log2_x: log2 of the value.
        in_loss: In loss; None where it is unknown (off the curve and not run).
        percent: In % of the best loss there.
        seed_noise: In standard deviations of one loss from seed to seed.
        width_gain: In shares of what width gains, best loss at the search minus best loss here
            (Ghosh et al. 2025: c/a); None where width gains nothing.
        note: For a value without a regret: why, and the losses of its neighbours.
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


def alternatives(fits: Fits, question: TransferQuestion) -> tuple[Alternative, ...]:
    """Return the regret of the transferred value, ±1 octave, a given default and SP's value.

    SP's value is the control's optimum at the search, kept constant along the axis, as somebody
    without μP would; its regret is that in SP's own slice at the largest axis value with one.
    """
    value = question.transferred_value(fits.hp)
    if fits.target is None or not fits.has_target_runs or value is None:
        return ()
    x = log2_of(value)
    search = fits.ladder[question.arm, question.search_at]
    if question.check == "star":
        # A star bounds the regret of the transferred value alone.
        bound = None if fits.star is None else fits.star.bound(1 - question.confidence, fits.hp)
        excess = None if bound is None else regret_of_star(bound, x, question.confidence)
        star = _alternative("transferred", fits.target, search, x, question.tolerance, excess)
        return (star, *_of_control(fits, question))
    named = {"transferred": x, "one octave lower": x - 1, "one octave higher": x + 1}
    default = question.defaults.get(fits.hp)
    if default is not None and default > 0:
        named["default"] = log2_of(default)
    ours = [
        _alternative(
            name, fits.target, search, log2_x, question.tolerance, regret(fits.target, log2_x)
        )
        for name, log2_x in named.items()
    ]
    return (*ours, *_of_control(fits, question))


def _of_control(fits: Fits, question: TransferQuestion) -> list[Alternative]:
    arm = question.control or "sp"
    beyond = [f for f in fits.of_arm(arm) if f.ok and f.slice.axis_value > question.search_at]
    search = fits.ladder.get((arm, question.search_at))
    carried = None if search is None else optimum(search).log2_opt
    if not beyond or search is None or carried is None:
        return []
    name = "SP's own, transferred under SP" if arm == "sp" else "kept, without the rule"
    excess = regret(beyond[-1], carried)
    return [_alternative(name, beyond[-1], search, carried, question.tolerance, excess)]


def _alternative(
    name: str,
    fit: Fit,
    search: Fit,
    log2_x: float,
    tolerance: Tolerance,
    excess: Regret | None,
) -> Alternative:
    here, before = optimum(fit), optimum(search).loss
    gain = None if before is None or here.loss is None else before - here.loss
    return Alternative(
        name=name,
        hp=fit.slice.hp,
        arm=fit.slice.arm,
        axis_value=fit.slice.axis_value,
        log2_x=log2_x,
        in_loss=_scaled(excess, 1.0),
        percent=_scaled(excess, tolerance.percents(here.loss)),
        seed_noise=_scaled(excess, 1 / here.noise_sd if here.noise_sd else None),
        width_gain=_scaled(excess, 1 / gain if gain is not None and gain > 0 else None),
        note="" if excess else _note(fit, log2_x, here.loss),
    )


def _note(fit: Fit, log2_x: float, best: float | None) -> str:
    """Why a value has no regret, and what the values on either side of it lose."""
    x, means = fit.slice.log2_x, mean_loss(fit.slice)
    notes = []
    for side, near in (
        ("below", np.flatnonzero(x < log2_x)[-1:]),
        ("above", np.flatnonzero(x > log2_x)[:1]),
    ):
        for i in near:
            if fit.slice.walls[i]:
                kind = "diverged" if fit.slice.diverged[i] else "collapsed"
                notes.append(f"the value {side} it {kind}")
            elif best is not None and np.isfinite(means[i]):
                notes.append(f"the value {side} it loses {means[i] - best:.3g}")
    return f"{_status(fit, log2_x)}; " + " and ".join(notes or ["outside the values"])


def _status(fit: Fit, log2_x: float) -> str:
    index = fit.slice.index(log2_x)
    if index is None:
        return "not run"
    if fit.slice.diverged[index]:
        return "diverged"
    if fit.slice.collapsed[index]:
        return "collapsed"
    return "no curve" if fit.slice.usable[index] else "no result"


def _scaled(excess: Regret | None, scale: float | None) -> tuple[float, float, float] | None:
    if excess is None or scale is None:
        return None
    return excess.estimate * scale, excess.lower * scale, excess.upper * scale
