"""What a ladder predicts, in words."""

from dataclasses import replace

import pytest

from mutransfer.analysis.reporting.prediction import laws_table, prediction_table
from mutransfer.analysis.transfer.laws import FittedLaw
from mutransfer.analysis.transfer.prediction import Prediction
from mutransfer.analysis.verdict.judge import Verdict

LAWS = tuple(
    FittedLaw(name=name, weight=w, log2_level=-8.0, coefficient=k, coefficient_sd=0.05)
    for name, w, k in (("constant", 0.5, 0.0), ("drift", 0.3, -0.25), ("limit", 0.2, 1.5))
)


@pytest.fixture
def beyond(verdict: Verdict) -> Verdict:
    predicted = Prediction(
        hp="lr",
        arm="mup",
        axis_value=4096,
        doublings=3.0,
        anchor=512,
        axis_values=(64, 128, 256, 512),
        laws=LAWS,
        log2_opt=-8.0,
        log2_low=-9.0,
        log2_high=-7.0,
        confidence=0.95,
        left_out_error=0.1,
        left_out_z=0.7,
        steepness=1.1,
        log2_x=-8.0,
        regret=0.001,
        regret_upper=0.004,
        tolerance_loss=0.005,
        reasons=("Too few.",),
    )
    return replace(verdict, predictions=(predicted,))


def test_a_prediction_is_a_row_with_its_bound_and_its_doubts(beyond: Verdict) -> None:
    (row,) = prediction_table(beyond).rows
    assert row[:4] == ("lr", "width 4096", "0.00391 (0.00195 … 0.00781)", "0.003906")
    assert row[4:6] == ("0.001 (≤ 0.004)", "0.005") and row[-1] == "Too few."
    own = replace(beyond, predictions=(replace(beyond.predictions[0], log2_x=None),))
    assert prediction_table(own).rows[0][3] == "that optimum"


def test_a_law_is_a_formula_in_n_with_its_weight(beyond: Verdict) -> None:
    formulas = [row[1:] for row in laws_table(beyond).rows]
    assert formulas == [
        ("constant", "50 %", "0.003906"),
        ("drift", "30 %", "0.003906 · (n/64)^(−0.25 ± 0.05)"),
        ("limit", "20 %", "0.003906 · 2^((+1.50 ± 0.05)·64/n)"),
    ]


def test_without_a_prediction_there_is_no_row(verdict: Verdict) -> None:
    assert prediction_table(verdict).rows == laws_table(verdict).rows == ()
