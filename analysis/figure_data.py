"""The data of each figure, apart from the drawing."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.alternatives import Loss
from analysis.axis import Axis, at
from analysis.curve import Fit
from analysis.hp_verdict import HPVerdict
from analysis.importance import Importance, importance
from analysis.labels import ARM_LABELS, arm_label, hp_label
from analysis.optimum import Optimum, optimum
from analysis.question import Evidence, Question, evidence_of
from analysis.search_data import HeatInfo, SearchInfo, heat_info, search_info, search_rows
from analysis.slices import log2_of, mean_loss
from analysis.transfer import Drift
from analysis.verdict import Verdict

# The loss axis holds this share of the rises above the widths' own minima.
USUAL_RISES = 0.7


class CurveSeries(NamedTuple):
    """Loss against one HP at one width: log2 values, mean and range over seeds, the fit."""

    width: int
    is_target: bool
    log2_x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fit_log2_x: np.ndarray
    fit_loss: np.ndarray
    place: Optimum
    log2_first_diverged: float | None


class CurvePanel(NamedTuple):
    """The series of one arm, narrowest first, the target last."""

    arm: str
    title: str
    series: tuple[CurveSeries, ...]


class CurveInfo(NamedTuple):
    """Figure 1 for one HP: a panel per arm; limits of the shared loss axis."""

    hp: str
    x_label: str
    panels: tuple[CurvePanel, ...]
    log2_transferred: float | None
    loss_limits: tuple[float, float] | None
    axis: Axis = "width"


class DriftLine(NamedTuple):
    """The optima of one arm against width, and the fitted drift."""

    arm: str
    label: str
    places: tuple[Optimum, ...]
    drift: Drift | None


class DriftInfo(NamedTuple):
    """Figure 2 for one HP; ``target`` is the check, not part of the line."""

    hp: str
    y_label: str
    lines: tuple[DriftLine, ...]
    target: Optimum | None
    axis: Axis = "width"


class RegretLine(NamedTuple):
    """What one value loses: estimate, lower and upper bound, % of the best loss there."""

    label: str
    value: float
    percent: tuple[float, float, float] | None
    note: str


class RegretInfo(NamedTuple):
    """Regret of the transferred and other values of an HP, against the tolerance in %."""

    hp: str
    place: str
    lines: tuple[RegretLine, ...]
    tolerance_percent: float | None


def curve_info(df: pd.DataFrame, question: Question, hp: str) -> CurveInfo:
    """Return figure 1 of an HP: loss against its log2 value at each width and arm."""
    evidence = evidence_of(df, question, hp)
    arms = [arm for arm in ARM_LABELS if evidence.of_arm(arm)]
    panels = tuple(_panel(evidence, arm, arm_label(arm, question.rule)) for arm in arms)
    value = (question.transferred or {}).get(hp)
    return CurveInfo(
        hp=hp,
        x_label=hp_label(hp),
        panels=panels,
        log2_transferred=log2_of(value) if value else None,
        loss_limits=_loss_limits(panels),
        axis=question.axis,
    )


def _panel(evidence: Evidence, arm: str, title: str) -> CurvePanel:
    series = [_series(f, is_target=False) for f in evidence.of_arm(arm) if len(f.slice.log2_x)]
    target = evidence.target
    if arm == "mup" and target is not None and len(target.slice.log2_x):
        series.append(_series(target, is_target=True))
    return CurvePanel(arm=arm, title=title, series=tuple(series))


def _series(fitted: Fit, *, is_target: bool) -> CurveSeries:
    found = fitted.slice
    usable = found.usable
    loss = found.loss[usable]
    grid = np.linspace(fitted.values[0], fitted.values[-1], 97) if fitted.ok else np.zeros(0)
    place = optimum(fitted)
    return CurveSeries(
        width=found.width,
        is_target=is_target,
        log2_x=found.log2_x[usable],
        mean=mean_loss(found)[usable],
        low=np.nanmin(loss, axis=1) if len(loss) else np.zeros(0),
        high=np.nanmax(loss, axis=1) if len(loss) else np.zeros(0),
        fit_log2_x=grid,
        fit_loss=fitted.value(grid) if fitted.ok else grid,
        place=place,
        log2_first_diverged=place.log2_first_diverged,
    )


def _loss_limits(panels: tuple[CurvePanel, ...]) -> tuple[float, float] | None:
    """Limits that show all minima and most of the points; what a cliff adds is cut off."""
    series = [s for p in panels for s in p.series if len(s.mean)]
    if not series:
        return None
    low = min(float(s.low.min()) for s in series)
    minima = max(float(s.mean.min()) for s in series)
    rises = np.concatenate([s.mean - s.mean.min() for s in series])
    usual = float(np.quantile(rises, USUAL_RISES))
    high = minima + max(usual, 0.25 * (minima - low))
    room = max(high - low, 1e-6 * abs(high), 1e-12)
    return low - 0.06 * room, high + 0.14 * room


def drift_info(
    entry: HPVerdict, axis: Axis = "width", control: str = "sp", rule: str | None = None
) -> DriftInfo:
    """Return figure 2 of an HP: log2 optimum against log2 width, or another axis."""
    drifts = {"mup": entry.drift_mup, control: entry.drift_sp}
    lines = []
    for arm, found in drifts.items():
        places = tuple(o for o in entry.optima if o.arm == arm and o.log2_opt is not None)
        if places:
            lines.append(DriftLine(arm, arm_label(arm, rule), places, found))
    target = entry.target if entry.target and entry.target.log2_opt is not None else None
    return DriftInfo(entry.hp, f"best {hp_label(entry.hp)}", tuple(lines), target, axis)


def regret_info(entry: HPVerdict, question: Question) -> RegretInfo:
    """Return figure 3 of an HP: the regret of the transferred value and of others."""
    best = entry.target.loss if entry.target else None
    tolerance = entry.tolerance_loss
    known = best and tolerance is not None
    return RegretInfo(
        hp=entry.hp,
        place=at(question.axis, question.target_width),
        lines=tuple(_regret_line(loss, question) for loss in entry.alternatives),
        tolerance_percent=100 * tolerance / abs(best) if known and best and tolerance else None,
    )


def _regret_line(loss: Loss, question: Question) -> RegretLine:
    elsewhere = f" ({at(question.axis, loss.width)})" if loss.width != question.target_width else ""
    return RegretLine(f"{loss.name}{elsewhere}", 2.0**loss.log2_x, loss.percent, loss.note)


class FigureData(NamedTuple):
    """The data of all figures of a study, as far as there are any."""

    curves: tuple[CurveInfo, ...]
    drifts: tuple[DriftInfo, ...]
    regrets: tuple[RegretInfo, ...]
    search: SearchInfo
    heat: HeatInfo
    importance: Importance


def figure_data(
    df: pd.DataFrame,
    question: Question | None,
    verdict: Verdict | None,
    search_width: int | None = None,
    axis: Axis = "width",
) -> FigureData:
    """Return the data of all figures.

    Args:
        df: A validated table.
        question: What was asked; None as long as the search is not over.
        verdict: The verdict; None without a question.
        search_width: Place of the search, needed without a question only.
        axis: Of the question.
    """
    width = question.search_width if question else search_width or 0
    rows = search_rows(df, axis, width)
    ranked = importance(rows)
    entries = verdict.hps if verdict else ()
    return FigureData(
        curves=tuple(curve_info(df, question, hp) for hp in question.parameters)
        if question
        else (),
        drifts=tuple(
            drift_info(
                entry,
                axis,
                (question.control if question else None) or "sp",
                question.rule if question else None,
            )
            for entry in entries
        ),
        regrets=tuple(regret_info(entry, question) for entry in entries) if question else (),
        search=search_info(rows),
        heat=heat_info(rows, ranked.order),
        importance=ranked,
    )
