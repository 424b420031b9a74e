"""The data of the figures as tables, for who wants the numbers."""

from collections.abc import Sequence

import numpy as np

from analysis.axis import WORDS
from analysis.convergence_data import ConvergenceInfo
from analysis.coordinates import Check
from analysis.figure_data import CurveInfo, DriftInfo, FigureData, RegretInfo
from analysis.importance import Importance
from analysis.labels import ARM_LABELS, hp_label
from analysis.plot import file_name
from analysis.rows import TextTable
from analysis.search_data import HeatInfo, SearchInfo


def all_tables(data: FigureData) -> dict[str, TextTable]:
    """Return the table of each figure by the figure's name."""
    tables = {file_name("loss", info.hp): curve_table(info) for info in data.curves}
    tables |= {file_name("drift", info.hp): drift_table(info) for info in data.drifts}
    tables |= {file_name("regret", info.hp): regret_table(info) for info in data.regrets}
    return tables | {
        "search": search_table(data.search),
        "heatmap": heat_table(data.heat),
        "importance": importance_table(data.importance),
    }


def _cell(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.6g}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> TextTable:
    return TextTable(title, tuple(columns), tuple(tuple(row) for row in rows))


def curve_table(info: CurveInfo) -> TextTable:
    """Return loss against an HP: a row for each arm, width and value, diverged ones too."""
    rows = []
    for panel in info.panels:
        for s in panel.series:
            start = (ARM_LABELS[panel.arm], f"{s.width}", "yes" if s.is_target else "no")
            for x, *losses in zip(s.log2_x, s.mean, s.low, s.high, strict=True):
                rows.append((*start, _cell(x), *map(_cell, losses), ""))
            if s.log2_first_diverged is not None:
                rows.append((*start, _cell(s.log2_first_diverged), "", "", "", "diverged"))
    columns = ("arm", WORDS[info.axis].one, "target", f"log2 {info.hp}", "mean loss", "lowest seed")
    return _table(f"loss against {info.x_label}", (*columns, "highest seed", "remark"), rows)


def drift_table(info: DriftInfo) -> TextTable:
    """Return the optimum and its interval at each width, the target last."""
    places = [o for line in info.lines for o in line.places]
    rows = [
        (ARM_LABELS[o.arm], f"{o.width}", *map(_cell, (o.log2_opt, o.log2_low, o.log2_high)))
        for o in (*places, *([info.target] if info.target else []))
    ]
    columns = ("arm", WORDS[info.axis].one, f"log2 {info.hp}", "lower end", "upper end")
    return _table(info.y_label, columns, rows)


def regret_table(info: RegretInfo) -> TextTable:
    """Return the regret of each value in % of the best loss, and the tolerance."""
    rows = [
        (r.label, _cell(r.value), *map(_cell, r.percent or (None,) * 3), r.note) for r in info.lines
    ]
    rows.append(("tolerance", "", _cell(info.tolerance_percent), "", "", ""))
    columns = ("what", info.hp, "regret, %", "lower bound", "upper bound", "remark")
    return _table(f"regret, {hp_label(info.hp)}", columns, rows)


def search_table(info: SearchInfo) -> TextTable:
    """Return the search's loss against each HP."""
    rows = []
    for p in info.panels:
        done = zip(p.log2_x, p.loss, strict=True)
        rows += [(p.hp, _cell(x), _cell(loss), "done") for x, loss in done]
        rows += [(p.hp, _cell(x), "", "diverged") for x in p.log2_diverged]
    return _table("search trials", ("HP", "log2 value", "loss", "status"), rows)


def heat_table(info: HeatInfo) -> TextTable:
    """Return the trials behind each map."""
    rows = [
        (p.x, _cell(x), p.y, _cell(y), _cell(z), "diverged" if np.isnan(z) else "done")
        for p in info.pairs
        for x, y, z in zip(p.log2_x, p.log2_y, p.loss, strict=True)
    ]
    columns = ("first HP", "log2 value", "second HP", "log2 value ", "loss", "status")
    return _table("pairs of HPs", columns, rows)


def importance_table(info: Importance) -> TextTable:
    """Return the shares of the HPs, and of random numbers."""
    rows = [
        (s.label, *(f"{100 * v:.3g}" for v in (s.share, s.low, s.high)), "yes" if s.tells else "no")
        for s in info.shares
    ]
    rows.append(("random numbers", "", "", f"{100 * info.chance:.3g}", ""))
    columns = ("HP", "share, %", "5 %", "95 %", "more than chance")
    return _table(f"importance, {info.n_trials} trials", columns, rows)


def coordinate_table(check: Check, kind: str) -> TextTable:
    """Return the slopes of one kind of size at the last step."""
    trends = [t for t in check.trends if t.kind == kind]
    last = max((t.step for t in trends), default=0)
    rows = [
        (ARM_LABELS[t.arm], t.name, f"{t.step}", *map(_cell, (t.slope, t.low, t.high)), t.word)
        for t in trends
        if t.step == last
    ]
    columns = ("arm", "series", "step", "slope", "lower end", "upper end", "word")
    return _table("slopes against width", columns, rows)


def convergence_table(info: ConvergenceInfo) -> TextTable:
    """Return the validation curves: a row for each baseline, run and validation."""
    rows = [
        (panel.title, ARM_LABELS[line.arm], f"{line.seed}", f"{step:.0f}", _cell(loss))
        for panel in info.panels
        for line in panel.lines
        for step, loss in zip(line.steps, line.losses, strict=True)
    ]
    columns = ("baseline", "arm", "seed", "step", "validation loss")
    return _table("validation loss against steps", columns, rows)
