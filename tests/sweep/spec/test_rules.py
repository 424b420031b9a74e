"""The rules between sections: each takes sections of a study, and runs where these are valid."""

import inspect
from typing import get_type_hints

import pytest

from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.spec import rules
from mutransfer.sweep.spec.study import Study
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import WITH_CONVERGENCE


@pytest.mark.parametrize("rule", rules.RULES, ids=[rule.__name__ for rule in rules.RULES])
def test_each_rule_takes_sections_of_a_study_and_gives_none_of_the_tiny_one(rule, tiny):
    sections = inspect.signature(rule).parameters
    assert sections.keys() <= get_type_hints(Study).keys()
    assert get_type_hints(rule).keys() >= sections.keys(), "every section is typed"
    assert list(rule(**{name: getattr(tiny, name) for name in sections})) == []


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
