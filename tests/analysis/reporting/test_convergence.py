"""The comparison of convergence in sentences and tables."""

import dataclasses

from mutransfer.analysis.reporting import convergence
from mutransfer.analysis.transfer.speed_up import compare_convergence
from tests.analysis.planted_curves import COMPARISON, HPS, tables


def test_a_measured_ratio_is_that_of_steps():
    summary = convergence.summary(compare_convergence(*tables(), COMPARISON))
    assert (
        "ratio of SP's steps to μP's is 2 (" in summary.sentences[0]
        and "2 seeds" in summary.sentences[0]
    )
    assert len(summary.tables[1].rows) == 4


def test_what_limits_the_comparison_is_a_caveat():
    comparison = dataclasses.replace(COMPARISON, sp_tuned=None, is_annealed=True)
    summary = convergence.summary(compare_convergence(*tables(), comparison))
    assert any("not been chosen" in text for text in summary.caveats)
    assert any("annealed" in text for text in summary.caveats)


def test_without_runs_there_is_no_comparison():
    table, curves = tables()
    result = compare_convergence(table[table["arm"] == "sp"], curves, COMPARISON)
    assert "is not compared" in convergence.summary(result).sentences[0]


def test_a_bound_reads_as_one():
    table, curves = tables()
    swapped = table.assign(arm=table["arm"].map({"mup": "sp", "sp": "mup"}))
    comparison = dataclasses.replace(
        COMPARISON, mup=COMPARISON.sp_default, sp_default=HPS, sp_tuned=None
    )
    summary = convergence.summary(compare_convergence(swapped, curves, comparison))
    assert "does not reach" in summary.sentences[0] and "below" in summary.sentences[0]
    assert summary.tables[0].rows[0][2].startswith("< ")
    assert all(cells[4].startswith("> 1000") for cells in summary.tables[1].rows)
