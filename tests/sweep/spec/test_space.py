"""Distributions of HPs in a spec."""

import pytest

from mutransfer.sweep.spec import space


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"log2": [-13, -5]}, space.LogUniform(min=2**-13, max=2**-5)),
        ({"value": 3}, space.Constant(value=3.0)),
        ({"values": [1, 2]}, space.Categorical(values=(1.0, 2.0))),
        ({"distribution": "uniform", "min": 0.5, "max": 1}, space.Uniform(min=0.5, max=1.0)),
    ],
)
def test_short_forms_of_distributions(entry, expected):
    distribution, faults = space.read("lr", entry)
    assert (distribution, faults) == (expected, [])


@pytest.mark.parametrize("entry", [5, [], {}, {"log2": [1]}, {"log2": ["a", 1]},
                                   {"log2": [-9999, 9999]}, {"values": []}, {"values": [True]},
                                   {"value": None}, {"distribution": 7}])  # fmt: skip
def test_entries_that_are_no_distribution_are_faults(entry):
    distribution, faults = space.read("lr", entry)
    assert distribution is None and faults
