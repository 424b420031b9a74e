"""The answer of a study: one sentence, a few key figures and a short table."""

import math
from typing import NamedTuple

from mutransfer.analysis.labels import DRIFT_UNIT, SHORT_ARMS
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.cost import amount_text
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.text_table import TextTable, bound_text, number, percent_text, signed
from mutransfer.analysis.transfer.drift import Drift
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.judge import Verdict


class Fact(NamedTuple):
    """A key figure: label, value, and the reference to read it against."""

    label: str
    value: str
    note: str


def word(inputs: ReportInputs) -> str:
    """Return PASS, FAIL, PREDICTED or INCONCLUSIVE; UNDER WAY if there is nothing to judge yet."""
    return "UNDER WAY" if inputs.verdict is None else inputs.verdict.verdict


def sentence(inputs: ReportInputs) -> str:
    """Return the answer in one sentence."""
    if inputs.verdict is not None:
        start = "So far: " if inputs.is_under_way else ""
        return start + inputs.verdict.sentence
    return (
        "No verdict yet: the search is not finished, so there are no slices by which to judge "
        "transfer."
    )


def facts(inputs: ReportInputs) -> list[Fact]:
    """Return the key figures of the answer, as many as are known."""
    verdict = inputs.verdict
    if verdict is None:
        return []
    drift = _drift(verdict.hps[0], SHORT_ARMS[verdict.control or "sp"]) if verdict.hps else None
    figures = (_regret(verdict), drift, _transferred_set(verdict), _cost(verdict))
    return [figure for figure in figures if figure is not None]


def _regret(verdict: Verdict) -> Fact:
    label = f"Regret at {axis_value_text(verdict.axis, verdict.target_at)}"
    upper, tolerance = verdict.set.regret_upper, verdict.set.tolerance_loss
    percents = verdict.tolerance.percents(verdict.set.best_loss)
    accepted = f"accepted: {verdict.tolerance.text}"
    if percents and tolerance is not None and verdict.tolerance.kind != "rel_loss":
        accepted += f" = {percents * tolerance:.2g} %"
    if upper is None or not math.isfinite(upper):
        return Fact(label, "no bound", accepted)
    if verdict.verdict == "PREDICTED":
        figure = f"at most {upper:.3g} in {verdict.tolerance.of}"
        return Fact(f"{label}, predicted", figure, f"95 %, from the ladder; {accepted}")
    bound = f"{percents * upper:.2g} %" if percents else f"{upper:.3g} in {verdict.tolerance.of}"
    return Fact(label, f"at most {bound}", f"95 % confidence; {accepted}")


def _drift(entry: HPVerdict, control: str) -> Fact | None:
    if entry.drift_mup.estimate is None:
        return None
    note = f"95 %: {_interval(entry.drift_mup)}"
    sp = entry.drift_sp
    if sp is not None and sp.estimate is not None:
        note += f"; {control} {signed(sp.estimate)} ({_interval(sp)})"
    value = f"{signed(entry.drift_mup.estimate)} {DRIFT_UNIT}"
    return Fact(f"Drift of {entry.hp} under μP", value, note)


def _transferred_set(verdict: Verdict) -> Fact | None:
    values = [f"{e.hp} {number(e.transferred)}" for e in verdict.hps if e.transferred is not None]
    if not values:
        return None
    tuned_at = f"tuned at {axis_value_text(verdict.axis, verdict.search_at)}"
    return Fact("Transferred set", ", ".join(values), tuned_at)


def _cost(verdict: Verdict) -> Fact | None:
    cost = verdict.cost
    if not cost.target_runs:
        return None
    share, tuning = cost.share_of_production, cost.tuning_at_target
    notes = [] if share is None else [f"{percent_text(share)} of the production run"]
    notes += [] if tuning is None else [f"tuning at the target instead: {amount_text(tuning)}"]
    value = f"{number(cost.target_runs, 3)} target runs"
    return Fact("Cost of all trials", value, "; ".join(notes))


def _interval(drift: Drift) -> str:
    ends = ["open" if end is None else signed(end) for end in (drift.low, drift.high)]
    return " … ".join(ends)


def answer_table(verdict: Verdict) -> TextTable:
    """Return a row per HP: its verdict, value, regret, accepted regret, and drifts.

    Regrets are in % of the best loss at the target where that is above 0.
    """
    of = verdict.tolerance
    percents = {e.hp: of.percents(e.target.loss if e.target else None) for e in verdict.hps}
    is_share = any(percents.values()) or of.kind == "rel_loss"
    rows = [
        (
            e.hp,
            e.word,
            number(e.transferred),
            *_regret_cells(e, percents[e.hp] if is_share else 1.0),
            _drift_cell(e.drift_mup),
            _drift_cell(e.drift_sp),
        )
        for e in verdict.hps
    ]
    control = SHORT_ARMS[verdict.control or "sp"]
    unit = "%" if is_share else of.of
    drift = ("drift μP", f"drift {control}")
    columns = ("HP", "verdict", "value", f"regret, {unit}", "accepted", *drift)
    return TextTable("Answer", columns, tuple(rows))


def _regret_cells(entry: HPVerdict, scale: float | None) -> tuple[str, str]:
    """The regret with its bound, and the accepted one, by a factor to their unit."""
    r, accepted = entry.regret, entry.tolerance_loss
    regret = "–"
    if r is not None and scale:
        regret = f"{r.estimate * scale:.2g} (≤ {bound_text(r.upper * scale, 2)})"
    return regret, number(accepted * scale if accepted is not None and scale else None, 2)


def _drift_cell(drift: Drift | None) -> str:
    if drift is None or drift.estimate is None:
        return "–"
    return signed(drift.estimate)
