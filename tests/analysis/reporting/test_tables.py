"""The tables of a verdict for the terminal."""

import pandas as pd

from mutransfer.analysis.reporting.tables import flag_texts, limitations, terminal_tables
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted
from tests.analysis.collapsed_tables import stuck


def test_the_terminal_gets_complete_rows_of_text(verdict: Verdict) -> None:
    tables = {t.title: t for t in terminal_tables(verdict)}
    assert list(tables) == [
        "Conditions",
        "Reasons",
        "What would settle it",
        "Optima",
        "Drift of the optimum",
        "Prediction where nothing was run",
        "Laws of the optimum",
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
    assert f"Widths above {planted.TARGET} were not run" in text and "narrower than" in text
    assert "Batch size, number of steps, depth, schedule and data were the same" in text
    by_batch = " ".join(limitations(planted.question(axis="batch_size", rule="sqrt"), verdict))
    assert "Width, number of steps, depth" in by_batch and "the rule sqrt" in by_batch


def test_the_flags_that_occur_are_explained_and_no_others(
    study: pd.DataFrame, verdict: Verdict
) -> None:
    df = stuck(study, width=64, log2_lr_from=-6.0)
    explained = flag_texts(judge(df, planted.question()))
    assert sum(text.startswith("collapsed: ") for text in explained) == 1
    flags = {f for e in verdict.hps for o in (*e.optima, e.target) for f in o.flags}
    assert {text.split(":")[0] for text in flag_texts(verdict)} == flags - {"collapsed"}
