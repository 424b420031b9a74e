"""A loss that no learning rate brings down is told from a search that diverged."""

import math

import pandas as pd
import pytest

from mutransfer.analysis.table.unlearned import unlearnable

LRS = [2.0**k for k in range(-10, -4)]


def table(end, lrs=LRS, start=1.0, **columns):
    """Trials that end at `end(lr)`; those not below their start are diverged."""
    ends = [end(lr) for lr in lrs]
    done = [value < start for value in ends]
    return pd.DataFrame(
        {
            "hp.lr": lrs,
            "status": ["done" if ok else "diverged" for ok in done],
            "val_loss": [value if ok else None for value, ok in zip(ends, done, strict=True)],
            "end_val_loss": [value if math.isfinite(value) else None for value in ends],
            "init_val_loss": start,
            "trivial_val_loss": start,
        }
        | columns
    ).astype({"val_loss": float, "end_val_loss": float})


def test_a_loss_that_stays_at_its_start_is_unlearnable():
    text = unlearnable(table(lambda lr: 1.001))
    assert "of 6 trials none ended 1 % below" in text and "2^-10.0 to 2^-5.0" in text
    assert "lower learning rates do not help" in text
    assert unlearnable(table(lambda lr: 0.999))  # a little below by chance
    assert unlearnable(table(lambda lr: 1.001 if lr < 2**-6 else math.nan))  # and a wall
    assert unlearnable(table(lambda lr: -1.001, start=-1.0))  # a log likelihood


@pytest.mark.parametrize(
    "end",
    [
        lambda lr: math.nan,
        lambda lr: math.inf,
        lambda lr: 2.0,  # finite, far above
        lambda lr: 0.9,
        lambda lr: 1.001 if lr < 2**-6 else 0.98,  # the lower ones are too low
        lambda lr: 1.001 if lr < 2**-8 else math.nan,  # too narrow: one in between may be right
    ],
)
def test_a_divergence_and_a_loss_that_goes_down_are_not(end):
    assert unlearnable(table(end)) == ""


def test_a_table_that_does_not_tell_how_its_runs_ended_says_nothing():
    assert unlearnable(table(lambda lr: 1.001).drop(columns="end_val_loss")) == ""
    assert unlearnable(table(lambda lr: 1.001, init_val_loss=None)) == ""
    assert unlearnable(table(lambda lr: 1.001).iloc[:0]) == ""
