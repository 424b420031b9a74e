"""The tables of a verdict for the terminal."""

from mutransfer.analysis.reporting.tables import limitations, terminal_tables
from mutransfer.analysis.verdict.judge import Verdict
from tests.analysis import planted


def test_the_terminal_gets_complete_rows_of_text(verdict: Verdict) -> None:
    tables = {t.title: t for t in terminal_tables(verdict)}
    assert list(tables) == [
        "Conditions",
        "Reasons",
        "What would settle it",
        "Optima",
        "Drift of the optimum",
        "Regret of the transferred and other values",
        "Scaling (working definitions)",
        "Cost",
    ]
    for table in tables.values():
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert all(isinstance(cell, str) for row in table.rows for cell in row)
    assert len(tables["Optima"].rows) == 4 + 4 + 1 + 4 + 1
    assert tables["Reasons"].rows == ()


def test_the_limitations_name_the_axis_and_what_was_held_fixed(verdict: Verdict) -> None:
    text = " ".join(limitations(planted.question(), verdict))
    assert f"Widths above {planted.TARGET} were not run" in text
    assert "Batch size, number of steps, depth, schedule and data were the same" in text
    by_batch = " ".join(limitations(planted.question(axis="batch_size", rule="sqrt"), verdict))
    assert "Width, number of steps, depth" in by_batch and "the rule sqrt" in by_batch
