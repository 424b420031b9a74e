"""Labels of figures and tables."""

import inspect
import re

from mutransfer.analysis.fit import optimum
from mutransfer.analysis.labels import (
    FLAG_TEXTS,
    arm_label,
    hp_label,
    interval_text,
    power_of_two,
    truncated,
)


def test_powers_of_two_are_raised_and_rounded_without_a_minus_zero() -> None:
    assert [power_of_two(x) for x in (-8.0, -7.5, 0.25, -0.001)] == ["2⁻⁸", "2⁻⁷·⁵", "2⁰·²⁵", "2⁰"]


def test_an_interval_may_be_open() -> None:
    assert interval_text(-6.0, -7.0, None) == "2⁻⁶ (95 %: 2⁻⁷ … open)"


def test_long_names_are_cut_and_unknown_hps_keep_their_name() -> None:
    assert hp_label("lr") == "learning rate (base)" and hp_label("my_hp") == "my_hp"
    assert truncated("x" * 40) == "x" * 29 + "…"


def test_mup_is_labelled_with_the_rule_if_there_is_one() -> None:
    assert arm_label("mup") == "μP" and arm_label("mup", "sqrt") == "μP, rule sqrt"
    assert arm_label("sp", "sqrt") == "SP (control)"


def test_every_flag_of_an_optimum_is_explained() -> None:
    named = set(re.findall(r'^        "(\w+)": ', inspect.getsource(optimum), flags=re.MULTILINE))
    assert named | {"no_data"} == set(FLAG_TEXTS)
