"""One value is one number: chosen values round to the lattice; no study contradicts itself."""

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.verdict.judge import judge
from mutransfer.sweep.plan import lattice
from mutransfer.sweep.plan.question import study_question
from mutransfer.words import SAME_VALUE, round_hp
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play

SAME_LOG2 = math.log2(1 + SAME_VALUE)
SPACINGS = st.sampled_from([1, 0.5, 0.25, 0.3])
FEW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


def near(low: float, high: float) -> st.SearchStrategy[float]:
    """Offsets in octaves of either sign, their size log-uniform between two powers of ten."""
    sizes = st.floats(low, high).map(lambda exponent: 10**exponent)
    return st.builds(lambda size, sign: size * sign, sizes, st.sampled_from([-1, 1]))


@given(spacing=SPACINGS, k=st.integers(-80, 20), offset=near(-12, -2))
def test_a_value_near_a_part_of_the_lattice_is_that_value(spacing, k, offset):
    point = k * spacing / 4
    assert lattice.chosen("lr", point + offset, spacing) == lattice.value_at("lr", point)
    between = point + spacing / 8  # the control: halfway between two parts it stays what it is
    assert lattice.chosen("lr", between, spacing) == lattice.value_at("lr", between)


@given(x=st.floats(-20, 5), spacing=SPACINGS)
def test_a_chosen_value_is_chosen_again_from_its_rounded_logarithm(x, spacing):
    value = lattice.chosen("lr", x, spacing)
    assert abs(math.log2(value) - x) < SAME_LOG2 + 1e-5
    assert lattice.chosen("lr", log2_of(value), spacing, [value, 2.0, 0.0]) == value


def test_without_knowing_it_a_rounded_logarithm_gives_another_number():
    value = 0.0063347  # its logarithm has a sixth decimal
    assert lattice.chosen("lr", log2_of(value), 1) != value
    assert lattice.chosen("lr", log2_of(value), 1, [value]) == value


@given(known=st.floats(-20, 5).map(lambda x: round_hp(2.0**x)), offset=near(-12, -2))
def test_a_value_near_one_that_runs_in_any_case_is_that_one(known, offset):
    x = math.log2(known) + offset
    others = [0.0, known, 4 * known]
    part = lattice.nearest(x, 0.25)
    if abs(part - x) > abs(offset):
        assert lattice.chosen("lr", x, 1, others) == known
    assert lattice.chosen("lr", x + 0.05, 1, others) != known


def test_a_point_reached_by_another_sum_is_the_same_number():
    sums = (-10.0, -9.7 - 0.3, -10 + 1e-12)  # 2^-10 lies halfway between two numbers of 6 digits
    assert len({lattice.value_at("lr", x) for x in sums}) == 1
    assert len({round_hp(2.0**x) for x in sums}) == 2


def test_a_whole_number_stays_one():
    assert lattice.chosen("warmup_steps", 4.5, 1) == 23
    assert lattice.chosen("warmup_steps", 9.99, 1) == 1024


def study_with(spacing: float = 1, *, refine: bool = False, two_hps: bool = False):
    """The tiny study with this lattice; ``two_hps``: it slices init_std too."""
    changes = {"max_extend: 1": f"max_extend: 2, spacing_log2: {spacing}"}
    if refine:
        changes["refine: false"] = "refine: true"
    if two_hps:
        changes["init_std: {value: 1}"] = "init_std: {log2: [-1, 1]}"
        changes["parameters: [lr]"] = "parameters: [lr, init_std]"
    text = TINY
    for was, now in changes.items():
        text = text.replace(was, now)
    return study_of(text)


def law_at(log2_lr: float, log2_std: float = 0.0):
    """A loss whose lowest point is at these values at every width."""

    def law(config):
        u = math.log2(config.hps.lr) - log2_lr
        v = math.log2(config.hps.init_std) - log2_std
        return 1 + 0.02 * u**2 + 0.02 * v**2 + 1e-4 * config.seed

    return law


def nearest_pair(table) -> float:
    """The smallest distance in octaves between two values of an HP outside the search."""
    trained = table[table["asked_by"] != "search"]
    logs = [sorted(trained[name].map(math.log2).unique()) for name in ("hp.lr", "hp.init_std")]
    gaps = (b - a for column in logs for a, b in itertools.pairwise(column))
    return min(gaps, default=math.inf)


@FEW
@given(spacing=SPACINGS, refine=st.booleans(), two_hps=st.booleans(), lr=near(-7, -3),
       std=near(-7, -3))  # fmt: skip
def test_a_study_whose_optima_lie_beside_lattice_values_ends(spacing, refine, two_hps, lr, std):
    """However near: planning finds its end, and the analysis a verdict."""
    study = study_with(spacing, refine=refine, two_hps=two_hps)
    at = lattice.nearest(-7, spacing)
    decisions, table, plan = play(study, law_at(at + lr, std), at_once=99)
    assert plan.finished
    assert decisions["transferred"]["transferred"]["lr"] == lattice.value_at("lr", at)
    assert nearest_pair(table) > SAME_LOG2 - 1e-5
    assert judge(table, study_question(study, decisions)).verdict


def test_without_it_a_study_trains_one_value_twice(monkeypatch):
    study, law = study_with(), law_at(-7 + 3e-6)
    _, table, _ = play(study, law, at_once=99)
    monkeypatch.setattr(lattice, "chosen", lambda name, x, *_, **__: lattice.value_at(name, x))
    _, doubled, _ = play(study, law, at_once=99)
    assert nearest_pair(doubled) < 1e-5 < SAME_LOG2 < nearest_pair(table)
    assert len(doubled) > len(table)


@pytest.mark.parametrize("offset", [1e-6, 5e-6, 1.5e-5, 1e-3])
def test_a_decision_of_an_older_run_directory_holds_and_its_study_ends(offset):
    """Its value beside the lattice is trained as it stands, and read as one value or as two."""
    study = study_with(refine=True)
    value = round_hp(2.0 ** (-7 + offset))
    stored = {"transferred": {"lr": value, "init_std": 1.0}, "flags": {"lr": []}, "optima": {}}
    decisions, table, plan = play(
        study, law_at(-7.0), decisions={"transferred": stored}, at_once=99
    )
    assert plan.finished and decisions["transferred"] is stored
    assert value in set(table.loc[table["asked_by"] == "set", "hp.lr"])
    assert judge(table, study_question(study, decisions)).verdict
