"""The faults of the tiny study's spec after a change of its text."""

import pytest

from mutransfer.sweep.errors import SpecError, SpecFault
from tests.sweep.conftest import TINY, study_of

Change = tuple[str, str]


def changed(*changes: Change) -> str:
    """The text of the tiny study, with each first text replaced by the second."""
    text = TINY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def faults_of(*changes: Change) -> tuple[SpecFault, ...]:
    """The faults of the changed spec, which has some."""
    with pytest.raises(SpecError) as caught:
        study_of(changed(*changes))
    return caught.value.faults


def assert_fault(change: Change, path: str, remedy: str) -> None:
    """The change gives a fault with a position, at this path of the study, with this remedy."""
    faults = faults_of(change)
    at_path = [f for f in faults if f.path.removeprefix("studies.tiny").lstrip(".") == path]
    assert at_path, [str(f) for f in faults]
    assert at_path[0].line is not None and at_path[0].rule
    assert remedy in str(at_path[0])
