"""Errors that end a command: one message for the user, with every fault of a spec."""

import contextlib

import pytest

from mutransfer.sweep.errors import RunError, SpecError, SpecFault, Stopped, UserError


def fault(line: int | None, path: str = "train.steps", got: str = "0") -> SpecFault:
    return SpecFault(
        file="a.yaml", line=line, column=3, path=path, rule="positive", got=got, remedy="raise it"
    )


def test_a_fault_is_its_position_then_rule_finding_and_remedy():
    lines = str(fault(7)).splitlines()
    assert lines[0] == "a.yaml:7:3: train.steps"
    assert [line.split() for line in lines[1:]] == [
        ["rule:", "positive"], ["found:", "0"], ["do:", "raise", "it"],
    ]  # fmt: skip
    assert "found:" not in str(fault(7, got=""))


def test_all_faults_are_in_the_message_in_the_order_of_the_file():
    faults = [fault(9, "c"), fault(None, "a"), fault(2, "b")]
    error = SpecError(faults)
    assert [f.path for f in error.faults] == ["a", "b", "c"] != [f.path for f in faults]
    assert str(error).startswith("3 faults in a.yaml\n")
    assert all(str(f) in str(error) for f in faults)
    assert str(SpecError(faults[:1])).startswith("1 fault in")


@pytest.mark.parametrize("error", [UserError("x"), RunError("x"), SpecError([fault(1)])])
def test_a_handler_of_exceptions_lets_a_stop_through_and_no_other_error(error):
    """Ray Tune has such a handler around its steps."""

    def step(error: BaseException) -> None:
        with contextlib.suppress(Exception):
            raise error

    step(error)
    with pytest.raises(Stopped) as stopped:
        step(Stopped(15))
    assert stopped.value.signal_number == 15
