"""Slices on the lattice: extension, hard limits, refinement."""

import dataclasses
import math

from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play


def test_slices_lie_on_one_lattice_shared_by_widths_and_arms(played):
    _, table, _ = played
    slices = table[table["asked_by"] == "slices"]
    log2_lr = slices["hp.lr"].map(math.log2)
    assert ((log2_lr - log2_lr.round()).abs() < 1e-6).all()
    by_width = slices.groupby(["width", "arm"])["hp.lr"].apply(set)
    assert len(set.intersection(*by_width)) >= 3


def test_a_slice_is_extended_to_its_minimum_but_not_past_max_extend():
    wide = dataclasses.replace(
        study_of(TINY), transfer=dataclasses.replace(study_of(TINY).transfer, max_extend=4)
    )

    def law(config):  # the optimum of width 8 lies three octaves from that of the search width
        best = -6 if config.width != 8 or config.arm == "sp" else -9
        return 1 + 0.02 * (math.log2(config.hps.lr) - best) ** 2 + 1e-4 * config.seed

    def left_end(study):
        _, table, _ = play(study, law)
        rows = table[(table["width"] == 8) & (table["arm"] == "mup")]
        return round(math.log2(rows["hp.lr"].min()))

    assert left_end(wide) == -11  # two worse values left of -9
    short = dataclasses.replace(wide, transfer=dataclasses.replace(wide.transfer, max_extend=1))
    assert left_end(short) > left_end(wide)


def test_a_declared_hard_limit_is_never_passed():
    limited = study_of(TINY.replace("max: 2^-5}", "max: 2^-5, hard_max: 2^-5}"))

    def falling(config):  # ever better to the right: a slice would extend without end
        return 3 - 0.1 * math.log2(config.hps.lr) * -1 + 1e-4 * config.seed

    _, table, _ = play(limited, falling)
    assert table["hp.lr"].max() <= 2**-5
    _, free, _ = play(study_of(TINY), lambda c: 3 - 0.1 * (math.log2(c.hps.lr) + 20))
    assert free["hp.lr"].max() > 2**-5


def test_refinement_adds_half_spacings_around_the_best(played):
    refined = study_of(TINY.replace("refine: false", "refine: true"))
    _, table, _ = play(refined)
    log2_lr = (
        table[(table["width"] == 8) & (table["arm"] == "mup")]["hp.lr"].map(math.log2).round(3)
    )
    assert {-6.5, -5.5} <= set(log2_lr)
    _, coarse, _ = played
    assert not ({-6.5, -5.5} & set(coarse["hp.lr"].map(math.log2).round(3)))
