"""Loss against an HP as text."""

from mutransfer.analysis.figures.curves import curve_info
from mutransfer.analysis.figures.text import curve_lines
from mutransfer.analysis.verdict.evidence import Fits, fits_of
from tests.analysis import planted


def test_each_row_has_one_minimum_which_drifts_under_sp_alone(fits: dict[str, Fits]) -> None:
    head, *lines = curve_lines(curve_info(fits["lr"], planted.question()))
    assert head.startswith("log2 lr") and len(lines) == 5 + 4
    assert all(line.count("●") == 1 for line in lines)
    columns = [line.index("●") for line in lines]
    mup, sp = columns[:5], columns[5:]
    assert len(set(mup)) == 1 and sp == sorted(sp, reverse=True) and len(set(sp)) == 4


def test_diverged_values_are_crosses_and_no_values_are_no_lines() -> None:
    df = planted.table(planted.Law(diverged_from=-6.0))
    question = planted.question()
    lines = curve_lines(curve_info(fits_of(df, question, "lr"), question))
    assert any("×" in line for line in lines)
    assert curve_lines(curve_info(fits_of(df[:0], question, "lr"), question)) == []
