"""The regrets beside that of the transferred value: planted truth, and why one is unknown."""

from dataclasses import replace

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.verdict.alternatives import Alternative, alternatives
from mutransfer.analysis.verdict.evidence import Fits
from tests.analysis import planted
from tests.analysis.planted import LR_OPT, Law
from tests.analysis.verdict.tables import lr_question

SP = "SP's own, transferred under SP"


def by_name(fits: Fits, **changes: object) -> dict[str, Alternative]:
    """The regrets of lr by the name of the value."""
    return {entry.name: entry for entry in alternatives(fits, lr_question(**changes))}


def sp_fit(width: int, log2_opt: float) -> Fit:
    """A fit of lr under SP with a planted optimum."""
    slice_ = planted.a_slice(
        planted.parabola,
        log2_opt=log2_opt,
        noise_sd=0.0005,
        n_seeds=2,
        rng=np.random.default_rng(width),
        width=width,
        arm="sp",
    )
    return fit_slice(slice_)


def test_regrets_are_the_planted_ones_in_each_unit(fits: dict[str, Fits]) -> None:
    entries = by_name(fits["lr"], defaults={"lr": 2.0 ** (LR_OPT + 2)}, control="sp")
    octaves = {"one octave lower": -1.0, "one octave higher": 1.0, "default": 2.0}
    assert set(entries) == {"transferred", *octaves, SP}
    best, gain = 0.4 + 512**-0.5, 64**-0.5 - 512**-0.5
    for name, octave in octaves.items():
        excess = 0.01 * float(planted.mild_cubic(np.array(octave)))
        entry = entries[name]
        assert entry.log2_x == pytest.approx(LR_OPT + octave, abs=1e-4)
        assert entry.in_loss[0] == pytest.approx(excess, rel=0.2)
        assert entry.percent[0] == pytest.approx(100 * excess / best, rel=0.2)
        assert entry.width_gain[0] == pytest.approx(excess / gain, rel=0.2)
        assert entry.seed_noise[0] == pytest.approx(excess / 0.0005, rel=0.3)
        # The control: what is best loses less than each of them, and nothing can be excluded.
        assert entries["transferred"].in_loss[2] < entry.in_loss[1]
    assert entries["transferred"].in_loss[1] == 0.0


@pytest.mark.parametrize(("drift", "excess"), [(-2.0, 0.04), (0.0, 0.0)])
def test_the_value_of_sp_is_its_search_optimum_kept_at_its_largest_width(
    drift: float, excess: float
) -> None:
    ours = planted.evidence(Law(), seed=0)
    assert SP not in by_name(ours, control="sp")
    control = {("sp", 64): sp_fit(64, -9.0), ("sp", 128): sp_fit(128, -9.0 + drift / 2)}
    control["sp", 256] = sp_fit(256, -9.0 + drift)
    entry = by_name(replace(ours, ladder={**ours.ladder, **control}), control="sp")[SP]
    assert (entry.arm, entry.axis_value) == ("sp", 256)
    assert entry.log2_x == pytest.approx(-9.0, abs=0.1)
    assert entry.in_loss[0] == pytest.approx(excess, abs=0.004)
    assert (entry.in_loss[1] > 0.02) is (excess > 0)


def test_a_value_without_a_regret_says_why_and_what_its_neighbours_lose() -> None:
    law = Law(diverged_from={planted.TARGET: -7.0})
    entries = by_name(planted.evidence(law, seed=0), defaults={"lr": 2.0**-6})
    beside, diverged = entries["one octave higher"], entries["default"]
    assert beside.in_loss is beside.percent is diverged.in_loss is None
    below, above = beside.note.split(" and ")
    assert below.startswith("not run; the value below it loses 0.00")
    assert above == "the value above it diverged"
    assert diverged.note.startswith("diverged; the value below it diverged")
    assert entries["one octave lower"].in_loss and entries["one octave lower"].note == ""


@pytest.mark.parametrize(("change", "has_gain"), [(0.1, True), (-0.1, False)])
def test_a_width_that_gains_nothing_has_no_share_of_its_gain(change: float, has_gain: bool) -> None:
    fits = planted.evidence(Law(), seed=0)
    slice_ = fits.ladder["mup", 64].slice
    search = fit_slice(replace(slice_, loss=slice_.loss + change))
    lower = by_name(replace(fits, ladder={("mup", 64): search}))["one octave lower"]
    assert lower.in_loss is not None and (lower.width_gain is not None) is has_gain
