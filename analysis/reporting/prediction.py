"""The tables of what a ladder predicts where nothing was run."""

from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.text_table import TextTable, number, signed
from mutransfer.analysis.transfer.laws import FittedLaw
from mutransfer.analysis.verdict.judge import Verdict

TEXT = (
    "The optimum moves by one of a few laws, weighted by how well they explain the optima of the "
    "ladder; the curve is that of the largest one with an optimum, moved. The bound is wider for "
    "the error by which the laws of the others miss that one, and for the spread of steepness in "
    "the ladder. It is no check: a law may end where nothing was run."
)


def prediction_table(verdict: Verdict) -> TextTable:
    """Return the predicted optimum of each HP, and the regret with its bound."""
    rows = [
        (
            p.hp,
            axis_value_text(verdict.axis, p.axis_value),
            f"{2.0**p.log2_opt:.3g} ({2.0**p.log2_low:.3g} … {2.0**p.log2_high:.3g})",
            "that optimum" if p.log2_x is None else f"{2.0**p.log2_x:.4g}",
            f"{number(p.regret, 2)} (≤ {number(p.regret_upper, 2)})",
            number(p.tolerance_loss, 2),
            f"{signed(p.left_out_error)} ({signed(p.left_out_z)} standard errors)",
            " ".join(p.reasons),
        )
        for p in verdict.predictions
    ]
    columns = (
        "HP",
        "at",
        "predicted optimum",
        "value",
        "regret, loss",
        "accepted",
        "largest one missed by, octaves",
        "why nothing is promised",
    )
    return TextTable("Prediction where nothing was run", columns, tuple(rows))


def laws_table(verdict: Verdict) -> TextTable:
    """Return the laws fitted to the optima of each HP, with n0 the smallest axis value."""
    rows = [
        (p.hp, law.name, f"{100 * law.weight:.0f} %", _formula(law, min(p.axis_values)))
        for p in verdict.predictions
        for law in p.laws
    ]
    return TextTable("Laws of the optimum", ("HP", "law", "weight", "optimum at n"), tuple(rows))


def _formula(law: FittedLaw, smallest: int) -> str:
    level = f"{2.0**law.log2_level:.4g}"
    power = f"{signed(law.coefficient)} ± {law.coefficient_sd:.2f}"
    if law.name == "constant":
        return level
    if law.name == "limit":
        return f"{level} · 2^(({power})·{smallest}/n)"
    return f"{level} · (n/{smallest})^({power})"
