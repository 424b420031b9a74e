"""The benchmark of false alarms: what it counts, and one member of each kind in small."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks import false_alarms
from benchmarks.false_alarms import MEMBERS, Score, score

from tests.proxies.zoo_checks import FLAWED

OPTIONS = {"repeats": 1, "n_seeds": 2, "first_seed": 500}


def test_there_are_enough_members_and_the_flawed_ones_are_among_them():
    assert len(MEMBERS) - len(FLAWED) >= 30
    assert MEMBERS.keys() >= FLAWED.keys()


def test_alarms_on_right_models_silence_on_flawed_ones_and_unseen_controls_are_wrong():
    def n_wrong(name, alarms, in_sp):
        return Score(name=name, lr=1, alarms=alarms, in_sp=in_sp, detectable=0.2).n_wrong

    assert n_wrong("ViT", ([], []), 3) == 0
    assert n_wrong("ViT", (["growing"], []), 3) == 1
    assert n_wrong("ViT", ([], []), 0) == 1
    assert n_wrong("Gemma", (["growing"], []), 3) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multi-query attention", "ViT", "Gemma"])
def test_a_member_is_judged_rightly(name):
    result = score(name, **OPTIONS)
    assert result.n_wrong == 0, str(result)
    assert bool(result.alarms[0]) == (name in FLAWED)


def test_the_table_names_the_member_and_its_control():
    row = str(Score(name="ViT", lr=0.5, alarms=([],), in_sp=0, detectable=0.2))
    assert "NOT SEEN" in row and row.count("|") == 7 and false_alarms.__doc__
