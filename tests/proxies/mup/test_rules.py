"""The table of the rules against Tensor Programs V, and how their powers are multiplied out."""

import math

import pytest

from mutransfer.proxies.mup.rules import ABSORBED, ROLES, RULES, RULES_OF, SP_RULES, Rule, scaled

# Tensor Programs V, Table 8, with μ-widths m: variance, multiplier, Adam LR; 2505.15270: decay.
TABLE_8 = {
    "input": {"variance": 0, "multiplier": 0, "lr": 0, "wd": 0},
    "hidden": {"variance": -1, "multiplier": 0, "lr": -1, "wd": 1},
    "output": {"variance": 0, "multiplier": -1, "lr": 0, "wd": 0},
}


@pytest.mark.parametrize("role", TABLE_8)
def test_matrices_have_the_powers_of_the_paper(role):
    rule, paper = RULES[role], TABLE_8[role]
    assert 2 * rule.std == paper["variance"]
    assert (rule.multiplier, rule.lr, rule.wd) == (paper["multiplier"], paper["lr"], paper["wd"])


def test_what_is_no_matrix_does_not_change_with_width_and_does_not_decay():
    for role in ("vector", "scalar"):
        assert RULES[role] == Rule(eps=-1, decays=False)


def test_sp_has_no_powers_and_every_arm_has_every_role():
    assert {rule._replace(decays=True) for rule in SP_RULES.values()} == {Rule()}
    for rules in RULES_OF.values():
        assert tuple(rules) == ROLES
        assert [rule.decays for rule in rules.values()] == [True, True, True, False, False]


def test_lr_times_weight_decay_is_constant_in_width_for_every_role_and_form():
    assert all(rule.lr + rule.wd == 0 for rule in RULES.values())
    assert ABSORBED.lr + ABSORBED.wd == 0


def test_an_absorbed_multiplier_gives_table_3_for_the_output():
    """Tensor Programs V, Table 3: variance 1/m² more than at base width, Adam LR 1/m."""
    power = RULES["output"].multiplier
    assert (power * ABSORBED.std, power * ABSORBED.lr) == (-1, -1)


@pytest.mark.parametrize("m", [1.0, 3.0, 49 / 16, 7.0])
def test_powers_are_multiplied_out_exactly(m):
    assert scaled(0.3, m, 0) == 0.3
    assert scaled(0.3, m, 1) == 0.3 * m
    assert scaled(0.3, m, -1) == 0.3 / m
    assert scaled(0.3, m, 1 / 2) == 0.3 * math.sqrt(m)
    with pytest.raises(ValueError, match="a power is"):
        scaled(0.3, m, 2)
