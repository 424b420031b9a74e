"""Planted draws analyzed by the code that ships, many at once, and scored against the truth."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from benchmarks.calibration import oracle
from benchmarks.calibration.rivals import RIVALS, paired_bound
from benchmarks.calibration.settings import REL_LOSS, VerdictCase
from benchmarks.calibration.truth import LOSS, Setting, draw, optima, seed_effects
from scipy.optimize import brentq

from mutransfer.analysis.fit.curve import Fit, fit_slice, fit_slices
from mutransfer.analysis.fit.optimum import has_worse_sides, optimum
from mutransfer.analysis.table.slice import Slice, bracket
from mutransfer.analysis.transfer.drift import drift
from mutransfer.analysis.transfer.regret import regret
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import word_of
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import round_hp

SEARCH_WIDTH, TARGET_WIDTH = 32, 256
REGRET_AT = (0.0, 0.7, -0.7)


def covers(low: float | None, high: float | None, truth: float) -> bool:
    """Whether an interval, open where None, holds the truth."""
    return (low is None or low <= truth) and (high is None or truth <= high)


def span(low: float | None, high: float | None) -> float:
    """Length of an interval; infinite where it is open."""
    return np.inf if low is None or high is None else high - low


def ladder(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, list[Slice]]:
    """Planted optima and slices of all widths; seed effects are shared by the widths."""
    truth, effects = optima(setting, rng), seed_effects(setting, rng)
    return truth, [
        draw(setting.at(i), x, effects, rng, width=SEARCH_WIDTH * 2**i) for i, x in enumerate(truth)
    ]


def intervals(setting: Setting, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Coverage and length of ladders: optimum of each width, drift, regret at the largest width.

    Lengths are those of slices with a worse value on either side of the best.
    """
    drawn = [ladder(setting, np.random.default_rng(seed)) for seed in seeds]
    n, step = setting.widths, setting.spacing
    fits = fit_slices(
        [s for _, slices in drawn for s in slices],
        spacing_log2=step,
        families=[i for i in range(len(drawn)) for _ in range(n)],
    )
    alone = fit_slices([slices[-1] for _, slices in drawn], spacing_log2=step)
    return [
        _of_ladder(setting, truth, fits[i * n : (i + 1) * n], alone[i])
        for i, (truth, _) in enumerate(drawn)
    ]


def _of_ladder(
    setting: Setting, truth: np.ndarray, fits: Sequence[Fit], target: Fit
) -> dict[str, Any]:
    estimates = [optimum(f) for f in fits]
    line = drift(fits)
    oracles = {
        kind: np.array(
            [
                _variance(setting.at(i), f, x, kind == "all")
                for i, (f, x) in enumerate(zip(fits, truth, strict=True))
            ]
        )
        for kind in ("family", "all")
    }
    worse = np.array([has_worse_sides(bracket(f.slice)) for f in fits])
    lengths = np.array([span(o.log2_low, o.log2_high) for o in estimates])[worse]
    return {
        "covered": [
            covers(o.log2_low, o.log2_high, x) for o, x in zip(estimates, truth, strict=True)
        ],
        "worse": worse,
        "length": lengths / np.array([oracle.length(v) for v in oracles["family"]])[worse],
        "length_all": lengths / np.array([oracle.length(v) for v in oracles["all"]])[worse],
        "octaves": lengths,
        "drift": line.estimate is not None,
        "drift_covered": covers(line.low, line.high, setting.drift),
        "drift_length": span(line.low, line.high)
        / oracle.length(oracle.slope_variance(oracles["family"])),
        "regret_covered": [_bound_holds(setting, target, truth[-1], u) for u in REGRET_AT],
    }


def _variance(setting: Setting, fitted: Fit, log2_opt: float, knows_all: bool) -> float:
    return oracle.variance(setting, fitted.values - log2_opt, knows_all=knows_all)


def _bound_holds(setting: Setting, fitted: Fit, log2_opt: float, u: float) -> bool | None:
    """Whether the upper bound of the regret of a value u octaves off holds; None: no bound."""
    if log2_opt + u > fitted.values[-1] or log2_opt + u < fitted.values[0]:
        return None
    bound = regret(fitted, log2_opt + u)
    return None if bound is None else bound.upper >= setting.regret(u) * (1 - 1e-12)


def flags(setting: Setting, seeds: Sequence[int]) -> list[bool]:
    """Whether the optimum of each draw is flagged as censored on the right."""
    slices = [_first(setting, seed)[1] for seed in seeds]
    estimates = [optimum(f) for f in fit_slices(slices, spacing_log2=setting.spacing)]
    return ["censored_right" in o.flags for o in estimates]


def _first(setting: Setting, seed: int) -> tuple[float, Slice]:
    """The planted optimum and the slice of one width."""
    rng = np.random.default_rng(seed)
    x = float(optima(replace(setting, widths=1), rng)[0])
    return x, draw(setting, x, seed_effects(setting, rng), rng)


def verdict_words(case: VerdictCase, seeds: Sequence[int]) -> list[str]:
    """The verdicts on a transferred value, one for each draw; the ladder is the search width."""
    setting, step = case.setting, case.setting.spacing
    rngs = [np.random.default_rng(seed) for seed in seeds]
    effects = [seed_effects(setting, rng) for rng in rngs]
    truth = [float(optima(replace(setting, widths=1), rng)[0]) for rng in rngs]
    drawn = list(zip(truth, effects, rngs, strict=True))
    search = fit_slices([draw(setting, *d, width=SEARCH_WIDTH) for d in drawn], spacing_log2=step)
    own = [optimum(f).log2_opt if case.searched else None for f in search]
    values = [x if o is None else o for x, o in zip(truth, own, strict=True)]
    off = offset(setting, case) if case.regret else 0.0
    targets = [
        draw(setting, x - off, b, rng, width=TARGET_WIDTH, extra=value)
        for (x, b, rng), value in zip(drawn, values, strict=True)
    ]
    target = fit_slices(targets, spacing_log2=step)
    return [judged(*each, setting) for each in zip(search, target, values, strict=True)]


def flat_words(setting: Setting, seeds: Sequence[int]) -> list[str]:
    """The verdicts where the HP has no effect: the planted curve is subtracted."""
    slices = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        effects, x = seed_effects(setting, rng), -7.0
        for width in (SEARCH_WIDTH, TARGET_WIDTH):
            curved = draw(setting, x, effects, rng, width=width)
            curve = setting.loss(curved.log2_x - x) - LOSS
            slices.append(replace(curved, loss=curved.loss - curve[:, None]))
    fits = fit_slices(slices)
    return [
        judged(search, target, float(np.round(optimum(search).log2_best or -7.0)), setting)
        for search, target in zip(fits[::2], fits[1::2], strict=True)
    ]


def carried(search: Slice, setting: Setting) -> float:
    """log2 of the value that a study transfers to its target: the fitted optimum."""
    log2_opt = optimum(fit_slice(search, spacing_log2=setting.spacing)).log2_opt
    assert log2_opt is not None
    return log2_opt


def judged(search: Fit, target: Fit, log2_x: float, setting: Setting) -> str:
    """The verdict on one HP, as `verdict.hp.judge_hp`."""
    fits = Fits(hp="lr", ladder={("mup", SEARCH_WIDTH): search}, target=target)
    return word_of(fits, question(search, target, log2_x, setting))


def question(
    search: Fit, target: Fit, log2_x: float, setting: Setting, *, n_interim: int = 0
) -> TransferQuestion:
    """The question whether a value transfers to the target."""
    return TransferQuestion(
        parameters=("lr",),
        search_at=SEARCH_WIDTH,
        axis_values=(SEARCH_WIDTH,),
        target_at=TARGET_WIDTH,
        base_width=SEARCH_WIDTH,
        seeds=search.slice.seeds,
        target_seeds=target.slice.seeds,
        spacing_log2=setting.spacing,
        tolerance=Tolerance(kind="rel_loss", value=REL_LOSS),
        center={"lr": 2.0**-7},
        transferred={"lr": round_hp(2.0**log2_x)},
        n_interim=n_interim,
    )


def offset(setting: Setting, case: VerdictCase) -> float:
    """Return the octaves from the optimum at which the true regret is that of the case."""
    regret_at = case.regret * REL_LOSS * LOSS
    far = case.side * 1.5
    return float(brentq(lambda u: setting.regret(u) - regret_at, 0.0, far))


def rival_intervals(setting: Setting, seeds: Sequence[int]) -> list[dict[str, tuple[bool, float]]]:
    """Coverage and length in octaves of every estimator at the first width, for each draw."""
    drawn = [_first(setting, seed) for seed in seeds]
    own = [optimum(f) for f in fit_slices([s for _, s in drawn], spacing_log2=setting.spacing)]
    rows = []
    for (x, slice_), o in zip(drawn, own, strict=True):
        low, high = o.log2_low, o.log2_high
        row = {"ours": (covers(low, high, x), span(low, high))}
        for name, estimate in RIVALS.items():
            a, b = estimate(slice_)
            row[name] = (a <= x <= b, b - a)
        rows.append(row)
    return rows


def paired_passes(case: VerdictCase, seeds: Sequence[int]) -> list[bool]:
    """Whether the bare paired difference bounds the regret under the tolerance, for each draw."""
    setting, passes = case.setting, []
    off = offset(setting, case) if case.regret else 0.0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        effects = seed_effects(setting, rng)
        x = float(optima(replace(setting, widths=1), rng)[0])
        target = draw(setting, x - off, effects, rng, width=TARGET_WIDTH, extra=x)
        passes.append(paired_bound(target, x) < REL_LOSS * LOSS)
    return passes


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Rates and median length ratios over draws."""
    every = np.concatenate([r["covered"] for r in rows])
    lines = [r for r in rows if r["drift"]]
    bounds = np.array([r["regret_covered"] for r in rows], dtype=float)
    return {
        "coverage": float(every.mean()),
        "worse": float(np.concatenate([r["worse"] for r in rows]).mean()),
        "length": float(np.median(np.concatenate([r["length"] for r in rows]))),
        "length_all": float(np.median(np.concatenate([r["length_all"] for r in rows]))),
        "octaves": float(np.median(np.concatenate([r["octaves"] for r in rows]))),
        "drift_share": len(lines) / len(rows),
        "drift_coverage": float(np.mean([r["drift_covered"] for r in lines])) if lines else np.nan,
        "drift_length": float(np.median([r["drift_length"] for r in lines])) if lines else np.nan,
        "regret_zero": float(np.nanmean(bounds[:, 0])),
        "regret_off": float(np.nanmin(np.nanmean(bounds[:, 1:], axis=0))),
    }
