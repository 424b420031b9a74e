"""The rules between sections: each takes sections of a study, and runs where these are valid."""

import inspect
from typing import get_type_hints

import pytest

from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.spec import rules
from mutransfer.sweep.spec.study import Study
from tests.sweep.conftest import STAR, TINY, study_of
from tests.sweep.planted import WITH_CONVERGENCE
from tests.sweep.spec_faults import assert_fault


@pytest.mark.parametrize("rule", rules.RULES, ids=[rule.__name__ for rule in rules.RULES])
def test_each_rule_takes_sections_of_a_study_and_gives_none_of_the_tiny_one(rule, tiny):
    sections = inspect.signature(rule).parameters
    assert sections.keys() <= get_type_hints(Study).keys()
    assert get_type_hints(rule).keys() >= sections.keys(), "every section is typed"
    assert list(rule(**{name: getattr(tiny, name) for name in sections})) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("check: slices", "check: star"), "points"),
        (("check: slices", "check: star"), "seeds"),
        (("check: slices", "max_looks: 2, check: slices"), "max_looks"),
        (("check: slices, points: 3, ", ""), "seeds"),  # a star is the default
    ],
)
def test_a_key_of_the_other_check_is_a_fault_that_says_what_to_do(change, key):
    other = "star" if key == "max_looks" else "slices"
    assert_fault(change, f"target.{key}", f"remove it, or set `check: {other}`")


def test_the_defaults_are_those_of_the_check():
    star, slices = study_of(STAR).target, study_of(TINY).target
    assert (star.check, star.max_looks, star.points, star.seeds) == ("star", 3, None, None)
    assert (slices.check, slices.max_looks, slices.points, slices.seeds) == ("slices", None, 3, 2)
    bare = study_of(TINY.replace("points: 3, seeds: 2, tol", "tol")).target
    assert (bare.max_looks, bare.points, bare.seeds) == (None, 5, 3)
    assert_fault(("check: slices, points: 3, seeds: 2", "max_looks: 4"), "target.max_looks", "")


def test_a_rule_runs_only_where_its_sections_are_valid(tiny):
    sections = {**vars(tiny), "parameters": {}}
    assert {".".join(map(str, f.path)) for f in rules.faults(sections)} == {
        "parameters",
        "transfer.parameters.0",
    }
    del sections["transfer"]
    assert [fault.path for fault in rules.faults(sections)] == [("parameters",)]
    del sections["parameters"]
    assert rules.faults(sections) == []


def test_faults_of_convergence_have_a_position():
    text = WITH_CONVERGENCE.replace("n_val: 6", "n_val: 60").replace("width: 32,", "width: 16,")
    with pytest.raises(SpecError) as error:
        study_of(text)
    assert "studies.tiny.convergence.n_val" in str(error.value)
    assert "SP and μP differ at the target width" in str(error.value)
    with pytest.raises(SpecError, match="default_lr"):
        study_of(WITH_CONVERGENCE.replace("default_lr: 2^-10, ", ""))


def test_a_logger_whose_package_is_missing_is_a_fault(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpecError, match="the logger mlflow needs the package mlflow") as error:
        study_of(TINY + "    loggers: [mlflow]\n")
    assert "pip install 'mutransfer[mlflow]'" in str(error.value)
