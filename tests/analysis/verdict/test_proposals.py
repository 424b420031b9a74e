"""The trials that would settle a verdict."""

import pandas as pd

from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.proposals import BEYOND_STEPS
from tests.analysis import planted
from tests.analysis.planted import Law


def test_nothing_is_proposed_for_a_pass_or_a_fail(verdict: Verdict) -> None:
    assert verdict.verdict == "PASS" and verdict.settle == ()
    failing = judge(planted.table(Law(target_shift=-1.5, noise_sd=0.001)), planted.question())
    assert failing.verdict == "FAIL" and failing.settle == ()


def test_an_open_end_is_extended_on_its_side_at_the_target() -> None:
    df = planted.table(Law())
    is_cut = (df["width"] == planted.TARGET) & (df["hp.lr"] < 2.0**-8.6)
    open_left = judge(df[~is_cut], planted.question())
    (proposal,) = open_left.settle
    assert (proposal.cause, proposal.hp, proposal.at_target) == ("not_bracketed", "lr", True)
    assert len(proposal.log2_x) == BEYOND_STEPS and max(proposal.log2_x) < -8.6
    assert proposal.settles is None


def test_more_seeds_are_proposed_where_only_noise_is_in_the_way() -> None:
    noisy = judge(planted.table(Law(noise_sd=0.004)), planted.question())
    assert noisy.verdict == "INCONCLUSIVE"
    assert {c.code for c in noisy.set.causes} == {"sum_uncertain"}
    lr, init_std = noisy.settle
    assert lr.seeds == init_std.seeds == (3, 4, 5) and lr.settles
    assert lr.n_trials == len(lr.log2_x) * 3 and lr.at_target
    less_noisy = judge(planted.table(Law(noise_sd=0.003)), planted.question())
    assert less_noisy.settle[0].seeds == (3,)


def test_the_cost_of_a_proposal_is_that_of_its_width(study: pd.DataFrame) -> None:
    one_seed = judge(study[study["seed"] != 2], planted.question())
    assert one_seed.settle
    for proposal in one_seed.settle:
        assert proposal.flops == 1e6 * proposal.axis_value**2 * proposal.n_trials
