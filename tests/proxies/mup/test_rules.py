"""The table of the rules against Tensor Programs V, and how their powers are multiplied out."""

import math

import pytest

from mutransfer.proxies.mup.rules import (
    ABSORBED,
    ABSORBED_LR,
    LR_POWERS,
    ROLES,
    RULES,
    RULES_OF,
    SP_RULES,
    Rule,
    scaled,
)

# Tensor Programs V, Table 8, in powers of m: variance, multiplier, LR of Adam and of SGD.
TABLE_8 = {
    "input": {"variance": 0, "multiplier": 0, "lr": 0, "sgd": 1},
    "hidden": {"variance": -1, "multiplier": 0, "lr": -1, "sgd": 0},
    "output": {"variance": 0, "multiplier": -1, "lr": 0, "sgd": 1},
}


@pytest.mark.parametrize("role", TABLE_8)
def test_matrices_have_the_powers_of_the_paper(role):
    rule, paper = RULES[role], TABLE_8[role]
    assert 2 * rule.std == paper["variance"]
    assert (rule.multiplier, rule.lr) == (paper["multiplier"], paper["lr"])
    # m is a of an input, b of an output, and both of a hidden matrix.
    sgd = LR_POWERS["gradient"][role]
    of_role = {"input": sgd.fan_out, "output": sgd.fan_in, "hidden": sum(sgd)}
    assert of_role[role] == paper["sgd"] and sum(LR_POWERS["entrywise"][role]) == paper["lr"]


def test_what_is_no_matrix_does_not_change_with_width_and_does_not_decay():
    for role in ("vector", "scalar"):
        assert RULES[role] == Rule(eps=-1, decays=False)


def test_sp_has_no_powers_and_every_arm_has_every_role():
    assert {rule._replace(decays=True) for rule in SP_RULES.values()} == {Rule()}
    for rules in RULES_OF.values():
        assert tuple(rules) == ROLES
        assert [rule.decays for rule in rules.values()] == [True, True, True, False, False]


def test_an_absorbed_multiplier_gives_table_3_for_the_output():
    """Tensor Programs V, Table 3: variance 1/m² more than at base width, Adam LR 1/m."""
    power = RULES["output"].multiplier
    assert (power * ABSORBED.std, power * ABSORBED_LR["entrywise"]) == (-1, -1)


def test_an_absorbed_multiplier_gives_sgd_the_output_rule_of_table_3_too():
    """LR 1/m: the powers of the output role, times the square of the multiplier 1/m."""
    power = RULES["output"].multiplier
    assert LR_POWERS["gradient"]["output"].fan_in + power * ABSORBED_LR["gradient"] == -1


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("a, b", [(1, 1), (8, 8), (8, 1), (1, 8), (3, 5)])
def test_the_powers_follow_from_one_condition(role, a, b):
    """√(fan_in / fan_out) · f · ‖ΔW‖₂ is as at base width, for an update that is aligned."""
    f = b ** RULES[role].multiplier
    for kind, spectral_norm in (
        ("entrywise", math.sqrt(a * b)),
        ("gradient", f * math.sqrt(b / a)),
    ):
        powers = LR_POWERS[kind][role]
        lr = a**powers.fan_out * b**powers.fan_in
        is_own = {"input": b == 1, "hidden": True, "output": a == 1, "vector": b == 1}
        if is_own.get(role, a == b == 1):
            assert math.sqrt(b / a) * f * lr * spectral_norm == pytest.approx(1)


@pytest.mark.parametrize("m", [1.0, 3.0, 49 / 16, 7.0])
def test_powers_are_multiplied_out_exactly(m):
    assert scaled(0.3, m, 0) == 0.3
    assert scaled(0.3, m, 1) == 0.3 * m
    assert scaled(0.3, m, -1) == 0.3 / m
    assert scaled(0.3, m, 1 / 2) == 0.3 * math.sqrt(m)
    with pytest.raises(ValueError, match="a power is"):
        scaled(0.3, m, 2)
