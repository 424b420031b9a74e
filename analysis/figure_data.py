"""The data of each figure, apart from the drawing."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.axis import Axis
from analysis.curve import Fit
from analysis.hp_verdict import HPVerdict
from analysis.optimum import Optimum, optimum
from analysis.question import Evidence, Question, evidence_of
from analysis.slices import log2_of, mean_loss
from analysis.table import HP_PREFIX
from analysis.transfer import Drift
from analysis.verdict import Verdict

HP_LABELS: Mapping[str, str] = {
    "lr": "learning rate (base)",
    "init_std": "init std multiplier",
    "init_std_hidden": "hidden init std multiplier",
    "init_std_input": "input init std multiplier",
    "init_std_vector": "vector init std multiplier",
    "output_mult": "output multiplier α",
    "weight_decay": "weight decay (base)",
    "warmup_steps": "warmup steps",
    "grad_clip": "gradient clip norm",
    "repa_weight": "weight of REPA's alignment",
}
ARM_LABELS: Mapping[str, str] = {
    "mup": "μP",
    "sp": "SP (control)",
    "unscaled": "no scaling rule (control)",
}


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


class SearchPanel(NamedTuple):
    """Search trials against one HP; diverged ones have a place but no loss."""

    hp: str
    x_label: str
    log2_x: np.ndarray
    loss: np.ndarray
    log2_diverged: np.ndarray


class SearchInfo(NamedTuple):
    """Figure 3: one panel for each HP that the search varied."""

    width: int
    panels: tuple[SearchPanel, ...]
    axis: Axis = "width"


def arm_label(arm: str, rule: str | None = None) -> str:
    """Return what an arm is called; μP names the rule that scales base HPs, where there is one."""
    return f"μP, rule {rule}" if arm == "mup" and rule else ARM_LABELS[arm]


def axis_label(hp: str) -> str:
    """Return the axis label of an HP on a log2 axis."""
    return f"log2 {HP_LABELS.get(hp, hp)}"


def curve_info(df: pd.DataFrame, question: Question, hp: str) -> CurveInfo:
    """Return figure 1 of an HP: loss against its log2 value at each width and arm."""
    evidence = evidence_of(df, question, hp)
    arms = [arm for arm in ARM_LABELS if evidence.of_arm(arm)]
    panels = tuple(_panel(evidence, arm, arm_label(arm, question.rule)) for arm in arms)
    value = (question.transferred or {}).get(hp)
    return CurveInfo(
        hp=hp,
        x_label=axis_label(hp),
        panels=panels,
        log2_transferred=log2_of(value) if value else None,
        loss_limits=_loss_limits(panels, evidence),
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


def _loss_limits(panels: tuple[CurvePanel, ...], evidence: Evidence) -> tuple[float, float] | None:
    """Limits that show all minima; what a cliff adds is cut off at the top."""
    fits = [*evidence.ladder.values(), *([evidence.target] if evidence.target else [])]
    inside = [mean_loss(f.slice)[f.window] for f in fits if f.window.any()]
    if not inside:
        return None
    low = min(float(s.low.min()) for p in panels for s in p.series if len(s.low))
    high = max(float(m.max()) for m in inside)
    room = max(high - low, 1e-6 * abs(high), 1e-12)
    return low - 0.06 * room, high + 0.12 * room


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
    return DriftInfo(
        entry.hp,
        f"log2 of the best {HP_LABELS.get(entry.hp, entry.hp)}",
        tuple(lines),
        target,
        axis,
    )


def search_info(df: pd.DataFrame, question: Question) -> SearchInfo:
    """Return figure 3: the search trials against each HP that they vary."""
    rows = df[(df["asked_by"] == "search") & (df[question.axis] == question.search_width)]
    panels = []
    for column in [c for c in rows.columns if c.startswith(HP_PREFIX)]:
        some = rows[rows[column] > 0]
        if some[column].nunique() < 2:
            continue
        hp = column.removeprefix(HP_PREFIX)
        done, dead = some[some["status"] == "done"], some[some["status"] == "diverged"]
        panels.append(
            SearchPanel(
                hp=hp,
                x_label=axis_label(hp),
                log2_x=np.log2(done[column].to_numpy()),
                loss=done["val_loss"].to_numpy(),
                log2_diverged=np.log2(dead[column].to_numpy()),
            )
        )
    return SearchInfo(question.search_width, tuple(panels), question.axis)


class FigureData(NamedTuple):
    """The data of all figures of a study."""

    curves: tuple[CurveInfo, ...]
    drifts: tuple[DriftInfo, ...]
    search: SearchInfo


def figure_data(df: pd.DataFrame, question: Question, verdict: Verdict) -> FigureData:
    """Return the data of all figures: per sliced HP the curves and the drift, and the search."""
    return FigureData(
        curves=tuple(curve_info(df, question, hp) for hp in question.parameters),
        drifts=tuple(
            drift_info(entry, question.axis, question.control or "sp", question.rule)
            for entry in verdict.hps
        ),
        search=search_info(df, question),
    )
