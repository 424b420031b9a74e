"""Faults as texts."""

from mutransfer.proxies.errors import ConfigError, DataError, Fault, first_few

FAULT = Fault(("data", "path"), "a folder of images", "no folder x", "correct the path")


def test_a_fault_has_path_rule_value_and_remedy_in_this_order():
    assert str(FAULT) == "data.path: a folder of images; got no folder x; correct the path"


def test_a_data_error_holds_all_faults_and_is_a_config_error():
    error = DataError([FAULT, FAULT._replace(got="none")])
    assert isinstance(error, ConfigError) and len(error.faults) == 2
    assert str(error).splitlines() == [str(fault) for fault in error.faults]


def test_only_the_first_examples_are_named():
    assert first_few(["a", "b", "c"]) == "a, b, c"
    assert first_few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
