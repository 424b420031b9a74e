"""One planted draw through the code that ships, and what came of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import brentq

from analysis.curve import Fit, fit
from analysis.drift import drift
from analysis.hp_verdict import judge_hp
from analysis.optimum import optimum
from analysis.question import Evidence, Question, Tolerance
from analysis.slices import Slice
from analysis.table import round_hp
from analysis.transfer import regret
from benchmarks.calibration import oracle
from benchmarks.calibration.rivals import RIVALS, paired_bound
from benchmarks.calibration.settings import REL_LOSS, Trial
from benchmarks.calibration.truth import LOSS, Setting, draw, levels, optima

SEARCH_WIDTH, TARGET_WIDTH = 32, 256
REGRET_AT = (0.0, 0.7, -0.7)


def covers(low: float | None, high: float | None, truth: float) -> bool:
    """Whether an interval, open where None, holds the truth."""
    return (low is None or low <= truth) and (high is None or truth <= high)


def span(low: float | None, high: float | None) -> float:
    """Length of an interval; infinite where it is open."""
    return np.inf if low is None or high is None else high - low


def ladder(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, list[Slice]]:
    """Planted optima and slices of all widths; seeds keep their level across widths."""
    places, level = optima(setting, rng), levels(setting, rng)
    return places, [
        draw(setting, x, level, rng, width=SEARCH_WIDTH * 2**i) for i, x in enumerate(places)
    ]


def intervals(setting: Setting, seed: int) -> dict[str, Any]:
    """Coverage and length of one ladder: optimum of each width, drift, regret at the widest."""
    rng = np.random.default_rng(seed)
    places, slices = ladder(setting, rng)
    fits = [fit(s, spacing_log2=setting.spacing) for s in slices]
    found = [optimum(f) for f in fits]
    line = drift(fits)
    known = {
        kind: np.array(
            [_variance(setting, f, x, kind == "all") for f, x in zip(fits, places, strict=True)]
        )
        for kind in ("family", "all")
    }
    lengths = np.array([span(o.log2_low, o.log2_high) for o in found])
    return {
        "covered": [covers(o.log2_low, o.log2_high, x) for o, x in zip(found, places, strict=True)],
        "length": lengths / np.array([oracle.length(v) for v in known["family"]]),
        "length_all": lengths / np.array([oracle.length(v) for v in known["all"]]),
        "octaves": lengths,
        "drift": line.estimate is not None,
        "drift_covered": covers(line.low, line.high, setting.drift),
        "drift_length": span(line.low, line.high)
        / oracle.length(oracle.slope_variance(known["family"])),
        "regret_covered": [_bound_holds(setting, fits[-1], places[-1], u) for u in REGRET_AT],
    }


def _variance(setting: Setting, fitted: Fit, log2_opt: float, knows_all: bool) -> float:
    return oracle.variance(setting, fitted.values - log2_opt, knows_all=knows_all)


def _bound_holds(setting: Setting, fitted: Fit, log2_opt: float, u: float) -> bool | None:
    """Whether the upper bound of the regret of a value u octaves off is one; None: no bound."""
    if log2_opt + u > fitted.values[-1] or log2_opt + u < fitted.values[0]:
        return None
    found = regret(fitted, log2_opt + u)
    return None if found is None else found.upper >= setting.regret(u) * (1 - 1e-12)


def flags(setting: Setting, seed: int) -> bool:
    """Whether an optimum is flagged as censored on the right."""
    rng = np.random.default_rng(seed)
    x = optima(setting, rng)[0]
    found = optimum(fit(draw(setting, x, levels(setting, rng), rng), spacing_log2=setting.spacing))
    return "censored_right" in found.flags


def word(trial: Trial, seed: int) -> str:
    """The verdict on a transferred value."""
    rng = np.random.default_rng(seed)
    setting = trial.setting
    level = levels(setting, rng)
    x = float(optima(replace(setting, widths=1), rng)[0])
    search = fit(draw(setting, x, level, rng, width=SEARCH_WIDTH), spacing_log2=setting.spacing)
    carried = optimum(search).log2_opt if trial.searched else x
    carried = x if carried is None else float(carried)
    at_target = x - (_offset(setting, trial) if trial.regret else 0.0)
    target = draw(setting, at_target, level, rng, width=TARGET_WIDTH, extra=carried)
    return judged(search, fit(target, spacing_log2=setting.spacing), carried, setting)


def flat_word(setting: Setting, seed: int) -> str:
    """The verdict where the HP does nothing: the planted curve is taken off the losses."""
    rng = np.random.default_rng(seed)
    level, x = levels(setting, rng), -7.0
    fits = []
    for width in (SEARCH_WIDTH, TARGET_WIDTH):
        made = draw(setting, x, level, rng, width=width)
        curve = setting.loss(made.log2_x - x) - LOSS
        fits.append(fit(replace(made, loss=made.loss - curve[:, None])))
    carried = float(np.round(optimum(fits[0]).log2_best or x))
    return judged(fits[0], fits[1], carried, setting)


def judged(search: Fit, target: Fit, carried: float, setting: Setting) -> str:
    """The word of `analysis.hp_verdict.judge_hp` on one HP."""
    question = Question(
        parameters=("lr",),
        search_width=SEARCH_WIDTH,
        widths=(SEARCH_WIDTH,),
        target_width=TARGET_WIDTH,
        base_width=SEARCH_WIDTH,
        seeds=search.slice.seeds,
        target_seeds=target.slice.seeds,
        spacing_log2=setting.spacing,
        tolerance=Tolerance(kind="rel_loss", value=REL_LOSS),
        center={"lr": 2.0**-7},
        transferred={"lr": round_hp(2.0**carried)},
    )
    evidence = Evidence(hp="lr", ladder={("mup", SEARCH_WIDTH): search}, target=target)
    return judge_hp(evidence, question).word


def _offset(setting: Setting, trial: Trial) -> float:
    """Octaves from the optimum at which the true regret is that of the trial."""
    wanted = trial.regret * REL_LOSS * LOSS
    far = trial.side * 1.5
    return float(brentq(lambda u: setting.regret(u) - wanted, 0.0, far))


def rival_intervals(setting: Setting, seed: int) -> dict[str, tuple[bool, float]]:
    """Coverage and length in octaves of every estimator at the first width."""
    rng = np.random.default_rng(seed)
    x = float(optima(setting, rng)[0])
    made = draw(setting, x, levels(setting, rng), rng)
    own = optimum(fit(made, spacing_log2=setting.spacing))
    found = {"ours": (covers(own.log2_low, own.log2_high, x), span(own.log2_low, own.log2_high))}
    for name, estimate in RIVALS.items():
        low, high = estimate(made)
        found[name] = (low <= x <= high, high - low)
    return found


def paired_passes(trial: Trial, seed: int) -> bool:
    """Whether the bare paired difference bounds the regret under the tolerance."""
    rng = np.random.default_rng(seed)
    setting, level = trial.setting, levels(trial.setting, rng)
    x = float(optima(replace(setting, widths=1), rng)[0])
    at_target = x - (_offset(setting, trial) if trial.regret else 0.0)
    target = draw(setting, at_target, level, rng, width=TARGET_WIDTH, extra=x)
    return paired_bound(target, x) < REL_LOSS * LOSS


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Rates and median length ratios over draws."""
    every = np.concatenate([r["covered"] for r in rows])
    lines = [r for r in rows if r["drift"]]
    bounds = np.array([r["regret_covered"] for r in rows], dtype=float)
    return {
        "coverage": float(every.mean()),
        "length": float(np.median(np.concatenate([r["length"] for r in rows]))),
        "length_all": float(np.median(np.concatenate([r["length_all"] for r in rows]))),
        "octaves": float(np.median(np.concatenate([r["octaves"] for r in rows]))),
        "drift_share": len(lines) / len(rows),
        "drift_coverage": float(np.mean([r["drift_covered"] for r in lines])) if lines else np.nan,
        "drift_length": float(np.median([r["drift_length"] for r in lines])) if lines else np.nan,
        "regret_zero": float(np.nanmean(bounds[:, 0])),
        "regret_off": float(np.nanmin(np.nanmean(bounds[:, 1:], axis=0))),
    }
