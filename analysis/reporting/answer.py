"""The answer of a study in a sentence, a few figures and a short table."""

from typing import NamedTuple

from mutransfer.analysis.labels import PER_STEP, SHORT_ARMS
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.table.axis import at
from mutransfer.analysis.text_table import TextTable, number
from mutransfer.analysis.transfer.drift import Drift
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.judge import Verdict


class Fact(NamedTuple):
    """A figure of the answer: what it is, its value, and what it is to be read against."""

    label: str
    value: str
    note: str


def word(material: ReportInputs) -> str:
    """Return PASS, FAIL, INCONCLUSIVE, or UNDER WAY where there is nothing to judge yet."""
    return "UNDER WAY" if material.verdict is None else material.verdict.verdict


def sentence(material: ReportInputs) -> str:
    """Return the answer in one sentence."""
    if material.verdict is not None:
        start = "So far: " if material.is_under_way else ""
        return start + material.verdict.sentence
    return (
        "No verdict yet: the search is not over, so there are no slices to judge whether the "
        "hyperparameters transfer."
    )


def facts(material: ReportInputs) -> list[Fact]:
    """Return the figures that the answer rests on, as far as there are any."""
    verdict = material.verdict
    if verdict is None:
        return []
    control = SHORT_ARMS[verdict.control or "sp"]
    found = [
        _regret(verdict),
        *(_drift(entry, control) for entry in verdict.hps[:1]),
        _set(verdict),
    ]
    return [*(fact for fact in found if fact), *_cost(verdict)]


def _regret(verdict: Verdict) -> Fact:
    place = f"Regret at {at(verdict.axis, verdict.target_at)}"
    whole = verdict.set
    upper, best, tolerance = whole.regret_upper_percent, whole.best_loss, whole.tolerance_loss
    accepted = f"accepted: {verdict.tolerance.text}"
    if best and tolerance is not None and verdict.tolerance.kind != "rel_loss":
        accepted += f" = {100 * tolerance / abs(best):.2g} %"
    if upper is None:
        return Fact(place, "not bounded", accepted)
    return Fact(place, f"at most {upper:.2g} %", f"95 % confidence; {accepted}")


def _drift(entry: HPVerdict, control: str) -> Fact | None:
    if entry.drift_mup.estimate is None:
        return None
    sp = entry.drift_sp
    note = f"95 %: {_ends(entry.drift_mup)}"
    if sp is not None and sp.estimate is not None:
        note += f"; {control} {sp.estimate:+.2f} ({_ends(sp)})"
    value = f"{entry.drift_mup.estimate:+.2f} {PER_STEP}"
    return Fact(f"Drift of {entry.hp} under μP", _minus(value), _minus(note))


def _set(verdict: Verdict) -> Fact | None:
    told = [f"{e.hp} {number(e.transferred)}" for e in verdict.hps if e.transferred is not None]
    if not told:
        return None
    tuned = f"tuned at {at(verdict.axis, verdict.search_at)}"
    return Fact("Transferred set", ", ".join(told), tuned)


def _cost(verdict: Verdict) -> list[Fact]:
    cost = verdict.cost
    if cost.share is None or cost.search_share is None:
        return []
    note = f"of {cost.denominator}; with the check at the target {_times(cost.share)}"
    return [Fact("Cost of search and slices", _times(cost.search_share), note)]


def _times(share: float) -> str:
    return f"{100 * share:.3g} %" if share < 1 else f"{share:.3g} ×"


def _ends(found: Drift) -> str:
    ends = ["open" if end is None else f"{end:+.2f}" for end in (found.low, found.high)]
    return " … ".join(ends)


def _minus(text: str) -> str:
    return text.replace("-", "−")


def answer_table(verdict: Verdict) -> TextTable:
    """Return a line for each HP: its word, value, regret against the tolerance, and drifts."""
    rows = [
        (
            e.hp,
            e.word,
            number(e.transferred),
            "–" if e.regret_percent is None else _regret_cell(e.regret_percent),
            _tolerance_cell(e),
            _minus(_signed(e.drift_mup)),
            "–" if e.drift_sp is None else _minus(_signed(e.drift_sp)),
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


def _signed(found: Drift) -> str:
    return "–" if found.estimate is None else f"{found.estimate:+.2f}"
