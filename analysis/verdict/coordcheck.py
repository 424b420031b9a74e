"""The verdict of a coordinate check: each size is flat in width, growing or vanishing.

Each series (a module's output or its change, a parameter or its update) is fitted as log2 size =
a(seed) + slope · log2 width, at each step. Residual variances of one kind of series are shrunk
towards each other (empirical Bayes; Smyth 2004, doi 10.2202/1544-6115.1027); intervals are
corrected for the number of series (Bonferroni).
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

RULES = 3  # raise it where a change of this file may change a verdict
CheckVerdict = Literal["PASS", "FAIL", "BLIND"]
TrendWord = Literal["flat", "growing", "vanishing", "uncertain"]
# Slopes: DETECTABLE should be detected; TOLERANCE passes, as finite models are not quite flat.
DETECTABLE, TOLERANCE, CONFIDENCE, POWER = 0.25, 0.15, 0.95, 0.8
# Updates, and the changes they cause, may fall this much faster, to width^-0.25: at finite width
# an update aligns less with its inputs the wider they are. Correct models fell as fast as
# width^-0.29 with an upper bound of -0.16; one multiplier or LR / m too many gives -1, LR / √m
# gives -0.5. What fades levels off, where a wrong exponent does not: a series must fall as fast
# between its two widest widths too. (Llama with two key-value heads, 8 seeds: the logits' change
# falls with width^-0.34 in all, and octave by octave with -0.5, -0.4, -0.2.) Wrong learning rates
# are detected exactly by the invariants.
FADING = 0.1
FIRST_JUDGED_STEP = 3  # zero readouts and gates block all other gradients for two steps
MIN_SEEDS, WIDEST, MAX_PRIOR_DF = 2, 4, 50.0
# The usual cause of a series that fails, by its kind and whether it grows.
CAUSES: Mapping[tuple[str, bool], str] = {
    ("weight", True): "a std that is not divided by √fan_in, or a readout without multiplier 1/m",
    ("weight", False): "a std that falls with width where it is constant (1/√width tables)",
    ("update", True): "a learning rate that is not divided by the width multiplier m, or a "
    "readout without its multiplier 1/m",
    ("update", False): "a learning rate divided by m where it is constant (a tensor taken for "
    "hidden), a multiplier applied twice, or an eps that is too large",
    ("output", True): "a multiplier that is missing, or a sum over a growing dimension without "
    "1/fan_in",
    ("change", True): "updates before this module that grow, or a missing multiplier",
    ("change", False): "updates before this module that vanish, or a multiplier applied twice",
}


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The dependence of one series on width at one step.

    `low` and `high`: corrected 95 % interval of the slope; `detectable`: the slope that is detected
    as growing with a probability of 80 %; `sizes`: geometric means over seeds, by width.
    """

    arm: str
    kind: str
    name: str
    role: str | None
    step: int
    slope: float
    low: float
    high: float
    detectable: float
    tolerance: float
    word: TrendWord
    sizes: dict[int, float]

    @property
    def last_slope(self) -> float:
        """Slope between the two widest widths; that of all where sizes overflowed."""
        if len(self.sizes) < 2:
            return self.slope
        (narrow, small), (wide, large) = sorted(self.sizes.items())[-2:]
        return math.log2(large / small) / math.log2(wide / narrow)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A failing series: its last trend, the parameter that causes it, and the usual reason."""

    trend: Trend
    parameter: str | None
    cause: str

    def __str__(self) -> str:
        """Return the finding as one sentence."""
        t = self.trend
        behind = f" (parameter {self.parameter})" if self.parameter not in (None, t.name) else ""
        return (
            f"{t.kind} of {t.name}{behind} is {t.word}: slope {t.slope:+.2f} "
            f"({t.low:+.2f} … {t.high:+.2f}) at step {t.step}; usual cause: {self.cause}"
        )


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of a coordinate check.

    PASS: nothing fails under μP and something grows under SP. FAIL: something fails. BLIND: nothing
    grows under SP either, so the check has shown nothing.

    Attributes:
        control_grows: Names of the series that grow under SP.
        widths: Widths that were fitted; ``left_out`` narrower ones that were not.
        n_series: Number of series that were judged.
        detectable: Median over these of `Trend.detectable`.
    """

    verdict: CheckVerdict
    findings: tuple[Finding, ...]
    control_grows: tuple[str, ...]
    trends: tuple[Trend, ...]
    widths: tuple[int, ...]
    left_out: tuple[int, ...]
    n_seeds: int
    n_series: int
    tolerance: float
    detectable: float

    @property
    def has_power(self) -> bool:
        """Whether a slope of `DETECTABLE` would be detected in at least half of the series."""
        return self.detectable <= DETECTABLE

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "has_power": self.has_power}


def from_dict(content: Mapping[str, Any]) -> Check:
    """Return the check from the data of `Check.to_dict`, which may have been through JSON."""
    plain = {f.name: content[f.name] for f in fields(Check)}
    findings = [
        Finding(trend=_read_trend(f["trend"]), parameter=f["parameter"], cause=f["cause"])
        for f in content["findings"]
    ]
    lists = {name: tuple(plain[name]) for name in ("control_grows", "widths", "left_out")}
    trends = tuple(_read_trend(t) for t in content["trends"])
    return Check(**plain | lists | {"findings": tuple(findings), "trends": trends})


def _read_trend(content: Mapping[str, Any]) -> Trend:
    return Trend(**{**content, "sizes": {int(w): size for w, size in content["sizes"].items()}})


def judge(rows: pd.DataFrame, *, tolerance: float = TOLERANCE, arm: str = "mup") -> Check:
    """Return the verdict on measured sizes.

    Args:
        rows: Columns arm, width, seed, step, kind, name, role, size, in the model's order.
        tolerance: Largest slope that passes.
        arm: The parametrization that is judged; "sp" is the control.

    Raises:
        ValueError: fewer than three widths or `MIN_SEEDS` seeds.
    """
    widths = sorted(int(w) for w in rows["width"].unique())
    kept = widths[-WIDEST:]
    if len(kept) < 3 or rows["seed"].nunique() < MIN_SEEDS:
        got = f"widths {widths}, {rows['seed'].nunique()} seed(s)"
        raise ValueError(f"coordinates: at least 3 widths and {MIN_SEEDS} seeds; got {got}")
    trends = _trends(rows[rows["width"].isin(kept)], tolerance)
    judged = [t for t in trends if t.arm == arm]
    failing = _failing(judged)
    control = _failing([t for t in trends if t.arm == "sp"])
    grows = tuple(dict.fromkeys(t.name for t in control if t.word == "growing"))
    unless_failing: CheckVerdict = "PASS" if grows or arm == "sp" else "BLIND"
    detectable = [t.detectable for t in judged if _is_judged(t)]
    return Check(
        verdict="FAIL" if failing else unless_failing,
        findings=tuple(_findings(failing)),
        control_grows=grows,
        trends=tuple(trends),
        widths=tuple(kept),
        left_out=tuple(widths[: -len(kept)]),
        n_seeds=int(rows.loc[rows["arm"] == arm, "seed"].nunique()),
        n_series=len({(t.kind, t.name) for t in judged if _is_judged(t)}),
        tolerance=tolerance,
        detectable=float(np.median(detectable)) if detectable else math.inf,
    )


def _is_judged(trend: Trend) -> bool:
    return trend.step >= FIRST_JUDGED_STEP or trend.kind == "weight"


def _failing(trends: Sequence[Trend]) -> list[Trend]:
    """Return the last trend of each series that grows, or vanishes too fast, at all its steps."""
    series: dict[tuple[str, str], list[Trend]] = {}
    for trend in filter(_is_judged, trends):
        series.setdefault((trend.kind, trend.name), []).append(trend)
    return [
        steps[-1]
        for steps in series.values()
        if all(t.word == "growing" for t in steps) or all(map(_fails_by_vanishing, steps))
    ]


def _fails_by_vanishing(trend: Trend) -> bool:
    if trend.word != "vanishing" or trend.kind == "output":
        return False
    if trend.kind == "weight":
        return trend.role != "output"  # a μP readout is initialized smaller the wider it is
    return max(trend.high, trend.last_slope) < -trend.tolerance - FADING


def _trends(rows: pd.DataFrame, tolerance: float) -> list[Trend]:
    fits = list(_fits(rows))
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for fit in fits:
        groups.setdefault((fit["arm"], fit["kind"], fit["step"]), []).append(fit)
    for group in groups.values():
        _shrink(group)
    series = {(fit["arm"], fit["kind"], fit["name"]) for fit in fits}
    n_series = Counter(arm for arm, _, _ in series)
    return [_trend(fit, n_series[fit["arm"]], tolerance) for fit in fits]


def _fits(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the fit of every series that has a size at each width and seed."""
    keys = ["arm", "kind", "name", "step"]
    roles = {n: r for n, r in zip(rows["name"], rows["role"], strict=True) if isinstance(r, str)}
    n_widths = rows["width"].nunique()
    for key, group in rows.groupby(keys, sort=False)[["seed", "width", "size"]]:
        arm, kind, name, step = key
        widths, column = np.unique(group["width"], return_inverse=True)
        seeds, line = np.unique(group["seed"], return_inverse=True)
        if len(group) < n_widths * len(seeds):
            continue  # a size is missing at some width
        sizes = np.zeros((len(seeds), len(widths)))
        sizes[line, column] = group["size"]
        if (sizes == 0).any() or len(widths) < 3:
            continue  # a constant, or something without a gradient
        head = {"arm": arm, "kind": kind, "name": name, "step": int(step), "role": roles.get(name)}
        yield {**head, **_fit(sizes, widths)}


def _fit(sizes: np.ndarray, widths: np.ndarray) -> dict[str, Any]:
    """Return slope, Σx², residual variance and its degrees of freedom; seeds are blocks."""
    if not np.isfinite(sizes).all():  # an overflow: nothing grows faster
        return {"slope": math.inf, "sxx": 1.0, "var": 0.0, "df": 1, "sizes": {}}
    y = np.log2(sizes)
    means = dict(zip(map(int, widths), np.exp2(y.mean(axis=0)).tolist(), strict=True))
    y = y - y.mean(axis=1, keepdims=True)
    x = np.log2(np.asarray(widths, dtype=float))
    x = np.broadcast_to(x - x.mean(), y.shape)
    sxx = float((x * x).sum())
    slope = float((x * y).sum()) / sxx
    df = y.size - y.shape[0] - 1
    var = float(((y - slope * x) ** 2).sum()) / df
    return {"slope": slope, "sxx": sxx, "var": var, "df": df, "sizes": means}


def _shrink(fits: list[dict[str, Any]]) -> None:
    """Shrink the residual variances of series of one kind to a common one, in place."""
    usable = [f for f in fits if f["var"] > 0]
    if len(usable) < 3:
        return
    df = np.array([f["df"] for f in usable], dtype=float)
    e = np.log([f["var"] for f in usable]) - special.digamma(df / 2) + np.log(df / 2)
    excess = e.var(ddof=1) - special.polygamma(1, df / 2).mean()
    prior_df = MAX_PRIOR_DF
    if excess > special.polygamma(1, MAX_PRIOR_DF / 2):
        solved = optimize.brentq(lambda d: special.polygamma(1, d / 2) - excess, 1e-3, MAX_PRIOR_DF)
        prior_df = float(solved)
    prior = math.exp(e.mean() + special.digamma(prior_df / 2) - math.log(prior_df / 2))
    for fit in usable:
        total = prior_df + fit["df"]
        fit["var"] = (prior_df * prior + fit["df"] * fit["var"]) / total
        fit["df"] = total


def _trend(fit: Mapping[str, Any], n_series: int, tolerance: float) -> Trend:
    se = math.sqrt(fit["var"] / fit["sxx"])
    critical = float(stats.t.ppf(1 - (1 - CONFIDENCE) / (2 * n_series), fit["df"]))
    low, high = fit["slope"] - critical * se, fit["slope"] + critical * se
    detectable = tolerance + (critical + float(stats.t.ppf(POWER, fit["df"]))) * se
    return Trend(
        **{key: fit[key] for key in ("arm", "kind", "name", "role", "step", "slope", "sizes")},
        low=low,
        high=high,
        detectable=detectable,
        tolerance=tolerance,
        word=_word(low, high, tolerance),
    )


def _word(low: float, high: float, tolerance: float) -> TrendWord:
    if low > tolerance:
        return "growing"
    if high < -tolerance:
        return "vanishing"
    return "flat" if -tolerance <= low and high <= tolerance else "uncertain"


def _findings(failing: Sequence[Trend]) -> list[Finding]:
    """Return the failing series, parameters first, each with the parameter behind it."""
    parameters = [t for t in failing if t.kind in ("weight", "update")]
    modules = [t for t in failing if t.kind in ("output", "change")]
    return [
        *(Finding(trend=t, parameter=t.name, cause=_cause(t)) for t in parameters),
        *(Finding(trend=t, parameter=_source(t, parameters), cause=_cause(t)) for t in modules),
    ]


def _source(module: Trend, parameters: Sequence[Trend]) -> str | None:
    """Return the failing parameter inside a module, else the first one of the model."""
    inside = [t.name for t in parameters if t.name.startswith(f"{module.name}.")]
    return next(iter(inside or [t.name for t in parameters]), None)


def _cause(trend: Trend) -> str:
    if trend.name.endswith("(logits)"):
        return "the head dim grows with width while logits are scaled by 1/√head_dim"
    return CAUSES.get((trend.kind, trend.word == "growing"), "a multiplier that does not fit")
