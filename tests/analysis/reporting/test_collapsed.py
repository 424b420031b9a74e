"""Collapsed runs in the report: counted and named by slice, each trial once."""

from dataclasses import replace

import pandas as pd
import pytest

from mutransfer.analysis.reporting.collapsed import (
    collapsed_sentences,
    collapsed_slices,
    collapsed_table,
)
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.files import to_dict
from mutransfer.analysis.table.slice import lowest_loss
from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.judge import judge
from tests.analysis import planted
from tests.analysis.collapsed_tables import stuck


def inputs_of(df: pd.DataFrame) -> ReportInputs:
    question = planted.question()
    fits = gather(df, question)
    verdict = judge(df, question, fits=fits)
    return ReportInputs(
        run_info={}, df=df, search_at=64, verdict=verdict, question=question, fits=fits
    )


@pytest.fixture(scope="module")
def collapsed(study: pd.DataFrame) -> ReportInputs:
    """The study with stuck runs at the base width, at another under SP, and at the target."""
    df = stuck(study, width=planted.BASE, log2_lr_from=-5.0)
    df = stuck(df, width=128, log2_lr_from=-9.0, arm="sp")
    return inputs_of(stuck(df, width=planted.TARGET, log2_lr_from=-5.0))


def test_each_slice_has_a_sentence_with_values_seeds_and_losses(collapsed: ReportInputs) -> None:
    base, target, control = collapsed_sentences(collapsed)
    assert base.startswith(
        "4 runs of lr at width 32 collapsed: 0.03125 (seeds 1, 2: 1.31 … 1.32); 0.0625 (seeds 1, 2:"
    )
    best = lowest_loss(collapsed.fits["lr"].ladder["mup", 32].slice)
    assert base.endswith(f"; best loss there {best:.4g}.")
    assert target.startswith("4 runs of lr at width 512 collapsed: 0.03125 (seeds 1, 2: 1.31")
    assert "lr at width 128, SP (control), collapsed" in control


def test_trials_that_both_arms_share_are_named_once(collapsed: ReportInputs) -> None:
    found = [(c.slice.arm, c.slice.axis_value) for c in collapsed_slices(collapsed.fits)]
    assert found == [("mup", 32), ("mup", 512), ("sp", 128)]
    assert collapsed.fits["lr"].ladder["sp", 32].slice.collapsed.any()


def test_the_table_has_a_row_for_each_value_and_the_verdict_its_count(
    collapsed: ReportInputs,
) -> None:
    table = collapsed_table(collapsed)
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["width"] == "32" and first["log2"] == "-5.00" and first["runs"] == "2"
    assert first["seeds"] == "1, 2" and first["loss"] == "1.31 … 1.32"
    assert "512 (target)" in [row[2] for row in table.rows]
    entry = next(e for e in to_dict(collapsed)["hps"] if e["hp"] == "lr")
    counts = {(o["arm"], o["axis_value"]): o["n_collapsed"] for o in entry["optima"]}
    assert counts["mup", 32] == 4 and counts["mup", 64] == 0
    assert entry["target"]["n_collapsed"] == 4


def test_many_or_unpaired_seeds_are_counted(collapsed: ReportInputs) -> None:
    fits = collapsed.fits["lr"]
    fit = fits.ladder["mup", 32]
    unpaired = replace(fit, slice=replace(fit.slice, paired=False))
    changed = replace(fits, ladder={("mup", 32): unpaired}, target=None)
    (sentence,) = collapsed_sentences(replace(collapsed, fits={"lr": changed}))
    assert "0.03125 (2 runs: 1.31 … 1.32)" in sentence


def test_without_collapsed_runs_there_is_nothing_to_say(inputs: ReportInputs) -> None:
    assert collapsed_sentences(inputs) == [] and collapsed_table(inputs).rows == ()
