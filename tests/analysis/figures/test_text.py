"""Loss against an HP as text."""

import pandas as pd

from mutransfer.analysis.figures.curves import curve_info
from mutransfer.analysis.figures.text import curve_lines
from mutransfer.analysis.verdict.evidence import Fits, fits_of
from mutransfer.words import round_hp
from tests.analysis import planted
from tests.analysis.collapsed_tables import stuck


def test_each_row_has_one_minimum_which_drifts_under_sp_alone(fits: dict[str, Fits]) -> None:
    head, *lines = curve_lines(curve_info(fits["lr"], planted.question()))
    assert head.startswith("log2 lr") and len(lines) == 5 + 4
    assert all(line.count("●") == 1 for line in lines)
    columns = [line.index("●") for line in lines]
    mup, sp = columns[:5], columns[5:]
    assert len(set(mup)) == 1 and sp == sorted(sp, reverse=True) and len(set(sp)) == 4


def lines_of(df: pd.DataFrame) -> list[str]:
    return curve_lines(curve_info(fits_of(df, planted.question(), "lr"), planted.question()))


def test_walls_have_marks_which_the_last_line_explains(study: pd.DataFrame) -> None:
    df = planted.table(planted.Law(diverged_from={64: -5.0}))
    *lines, marks = lines_of(stuck(df, width=128, log2_lr_from=-5.0))
    rows = {line.split("  ")[0]: line for line in lines}
    assert rows["μP width 64"].count("×") == 2 and rows["μP width 128"].count("▲") == 2
    assert "×" not in rows["μP width 256"] and "▲" not in rows["μP width 256"]
    assert marks == "× diverged, ▲ collapsed"
    assert not {"×", "▲"} & set("".join(lines_of(study)))


def test_no_values_are_no_lines(study: pd.DataFrame) -> None:
    assert lines_of(study[:0]) == []


def test_values_between_whole_ones_have_the_column_of_the_nearest(study: pd.DataFrame) -> None:
    df = study[study["asked_by"] == "slices"]
    head, *rows = lines_of(df)
    for octaves, columns in ((0.3, 0), (0.6, 1)):
        shifted = df.assign(**{"hp.lr": (df["hp.lr"] * 2**octaves).map(round_hp)})
        new_head, *new_rows = lines_of(shifted)
        assert new_rows == rows
        old, new = ([int(k) for k in line.split()[2:]] for line in (head, new_head))
        assert new == [k + columns for k in old]


def test_the_lowest_value_has_its_column_before_a_nearer_one(study: pd.DataFrame) -> None:
    df = study[(study["asked_by"] == "slices") & (study["width"] == 64)]
    between = df[(df["hp.lr"] == round_hp(2**-9)) & (df["arm"] == "mup")]
    lower = between.assign(**{"hp.lr": round_hp(2**-9.45), "val_loss": between["val_loss"] - 0.02})
    lower["trial_id"] += "x"
    head, row, *_ = lines_of(pd.concat([df, lower]))
    assert row.index("●") + 3 == head.index("-9") + 2
    assert lines_of(df)[1].index("●") + 3 == head.index("-8") + 2
