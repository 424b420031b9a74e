"""The answer of a study: one sentence, a few key figures and a short table."""

from typing import NamedTuple

from mutransfer.analysis.labels import DRIFT_UNIT, SHORT_ARMS
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.text_table import TextTable, number, signed
from mutransfer.analysis.transfer.drift import Drift
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.judge import Verdict


class Fact(NamedTuple):
    """A key figure: label, value, and the reference to read it against."""

    label: str
    value: str
    note: str


def word(inputs: ReportInputs) -> str:
    """Return PASS, FAIL or INCONCLUSIVE; UNDER WAY if there is nothing to judge yet."""
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
    upper, best = verdict.set.regret_upper_percent, verdict.set.best_loss
    tolerance = verdict.set.tolerance_loss
    accepted = f"accepted: {verdict.tolerance.text}"
    if best and tolerance is not None and verdict.tolerance.kind != "rel_loss":
        accepted += f" = {100 * tolerance / abs(best):.2g} %"
    if upper is None:
        return Fact(label, "no bound", accepted)
    return Fact(label, f"at most {upper:.2g} %", f"95 % confidence; {accepted}")


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
    if cost.share is None or cost.search_share is None:
        return None
    note = f"of {cost.denominator}; including the check at the target: {_share(cost.share)}"
    return Fact("Cost of search and slices", _share(cost.search_share), note)


def _share(share: float) -> str:
    return f"{100 * share:.3g} %" if share < 1 else f"{share:.3g} ×"


def _interval(drift: Drift) -> str:
    ends = ["open" if end is None else signed(end) for end in (drift.low, drift.high)]
    return " … ".join(ends)


def answer_table(verdict: Verdict) -> TextTable:
    """Return a row per HP: its verdict, value, regret, accepted regret in %, and drifts."""
    rows = [
        (
            e.hp,
            e.word,
            number(e.transferred),
            "–" if e.regret_percent is None else _regret_cell(e.regret_percent),
            _tolerance_cell(e),
            _drift_cell(e.drift_mup),
            _drift_cell(e.drift_sp),
        )
        for e in verdict.hps
    ]
    control = SHORT_ARMS[verdict.control or "sp"]
    columns = ("HP", "verdict", "value", "regret, %", "accepted", "drift μP", f"drift {control}")
    return TextTable("Answer", columns, tuple(rows))


def _regret_cell(percent: tuple[float, float, float]) -> str:
    return f"{percent[0]:.2g} (≤ {percent[2]:.2g})"


def _tolerance_cell(entry: HPVerdict) -> str:
    best = entry.target.loss if entry.target else None
    if not best or entry.tolerance_loss is None:
        return "–"
    return f"{100 * entry.tolerance_loss / abs(best):.2g}"


def _drift_cell(drift: Drift | None) -> str:
    if drift is None or drift.estimate is None:
        return "–"
    return signed(drift.estimate)
