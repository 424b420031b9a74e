"""The power of a study rests on what its slices show, and else on what is assumed."""

import math
import zlib

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.power.assumption import CURVES, Assumption
from mutransfer.analysis.power.simulated import outcome
from mutransfer.analysis.verdict.judge import judge
from mutransfer.sweep import spec
from mutransfer.sweep.plan.power import can_predict, design_of, power_of, prediction_sentence
from mutransfer.sweep.plan.question import study_question
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play

EMPTY = pd.DataFrame()
GAIN_REL, NOISE_REL = 0.02, 0.0002
HALF_OCTAVES = TINY.replace("max_extend: 1", "max_extend: 3, spacing_log2: 0.5")


def noisy(optimum: float, draw: int):
    """A parabola with noise that depends on the trial alone."""

    def law(config) -> float:
        key = zlib.crc32(f"{config.width} {config.hps.lr} {config.seed}".encode())
        noise = np.random.default_rng((draw, key)).normal()
        return 1 + GAIN_REL * (math.log2(config.hps.lr) - optimum) ** 2 + NOISE_REL * noise

    return law


def test_noise_and_curve_are_measured_where_the_slices_at_the_search_have_run():
    study = study_of(HALF_OCTAVES)
    assumed = power_of(study, {}, EMPTY, n_draws=3)
    assert (assumed.noise_rel, assumed.gain_rel) == (0.01, 0.05)
    decisions, table, _ = play(study, noisy(-6.2, 0))
    measured = power_of(study, decisions, table, n_draws=3)
    assert measured.gain_rel == pytest.approx(GAIN_REL, rel=0.5)
    assert measured.noise_rel == pytest.approx(NOISE_REL, rel=0.7)
    flat, table, _ = play(study, lambda config: 1 + 1e-5 * config.seed * config.hps.lr)
    of_flat = power_of(study, flat, table, n_draws=3)
    assert of_flat.gain_rel == 0.05 and of_flat.noise_rel < 1e-4


def test_a_tolerance_in_loss_needs_a_loss():
    study = study_of(HALF_OCTAVES.replace("rel_loss: 0.02", "abs_loss: 0.02"))
    assert power_of(study, {}, EMPTY) is None
    decisions, table, _ = play(study, noisy(-6.2, 0))
    assert power_of(study, decisions, table, n_draws=3) is not None


@pytest.mark.slow
def test_studies_that_are_played_pass_as_often_as_simulated_ones():
    """The whole way from the plan to the verdict, with the same curve and noise."""
    study, n = study_of(HALF_OCTAVES), 20
    words = []
    for draw in range(n):
        decisions, table, _ = play(study, noisy(-6.5 + draw / n, draw))
        words.append(judge(table, study_question(study, decisions)).verdict)
    assumed = f"    assume: {{noise_rel: {NOISE_REL}, gain_rel: {GAIN_REL}}}\n"
    simulated = power_of(study_of(HALF_OCTAVES.rstrip() + "\n" + assumed), {}, EMPTY, n_draws=n)
    assert words.count("PASS") / n == pytest.approx(simulated.pass_at_0, abs=0.25)
    louder = power_of(study, {}, EMPTY, n_draws=n)  # the control
    assert words.count("PASS") / n > louder.pass_at_0


def test_three_axis_values_are_said_to_promise_nothing_beyond_the_target():
    four = TINY.replace("widths: [8, 16]", "widths: [8, 16, 24]")
    few, enough = study_of(TINY), study_of(four)
    assert not can_predict(few) and "three promise nothing" in prediction_sentence(few)
    assert can_predict(enough) and "promise nothing" not in prediction_sentence(enough)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper-dit", "paper-mmdit"])
def test_the_papers_studies_have_the_power_that_they_were_chosen_for(request, name):
    study = spec.read(request.config.rootpath / "sweeps.yaml", (name,))[name]
    design = design_of(study, study.target.tolerance.value)

    def share_of_passes(noise_rel: float, n: int) -> float:
        assumption = Assumption(noise_rel=noise_rel, gain_rel=0.05, source="")
        words = [
            outcome(design, assumption, CURVES[i % len(CURVES)], np.random.default_rng((0, i)), 0.0)
            for i in range(n)
        ]
        return sum(found.word == "PASS" for found in words) / n

    assert study.assume.noise_rel == 0.002
    assert share_of_passes(0.002, 30) >= 0.8
    assert share_of_passes(0.02, 3) < 0.8  # the control


def test_studies_of_one_design_have_one_power(request):
    studies = spec.read(request.config.rootpath / "sweeps.yaml", ("paper-dit", "paper-pixart"))
    one, other = (design_of(study, 0.005) for study in studies.values())
    assert one == other
