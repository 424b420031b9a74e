"""The trials that would settle a verdict."""

import pandas as pd

from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.proposals import BEYOND_STEPS, MAX_MORE_SEEDS
from tests.analysis import planted
from tests.analysis.planted import Law
from tests.analysis.verdict.tables import lr_question


def on_lr(law: Law) -> Verdict:
    """The verdict on lr alone under a law."""
    return judge(planted.table(law, lr_question(), n_search=0), lr_question())


def test_nothing_is_proposed_for_a_pass_or_a_fail(verdict: Verdict) -> None:
    assert verdict.verdict == "PASS" and verdict.settle == ()
    failing = on_lr(Law(target_shift=-1.5, noise_sd=0.001))
    assert failing.verdict == "FAIL" and failing.settle == ()


def test_an_open_end_is_extended_on_its_side_at_the_target() -> None:
    df = planted.table(Law(), lr_question(), n_search=0)
    is_cut = (df["width"] == planted.TARGET) & (df["hp.lr"] < 2.0**-8.6)
    open_left = judge(df[~is_cut], lr_question())
    (proposal,) = open_left.settle
    assert (proposal.cause, proposal.hp, proposal.at_target) == ("not_bracketed", "lr", True)
    assert len(proposal.log2_x) == BEYOND_STEPS and max(proposal.log2_x) < -8.6
    assert proposal.settles is None


def test_more_seeds_are_proposed_where_only_noise_is_in_the_way() -> None:
    noisy = on_lr(Law(noise_sd=0.006))
    assert {c.code for c in noisy.set.causes} == {"regret_uncertain"}
    (proposal,) = noisy.settle
    assert proposal.seeds[0] == 3 and proposal.settles and proposal.at_target
    assert proposal.n_trials == len(proposal.log2_x) * len(proposal.seeds)
    (noisier,) = on_lr(Law(noise_sd=0.01)).settle
    assert len(noisier.seeds) == MAX_MORE_SEEDS > len(proposal.seeds)
    assert noisier.settles is False


def test_closer_values_are_proposed_where_the_lattice_is_in_the_way() -> None:
    """No number of seeds would tell where a curve is lowest beside a cliff."""
    law = Law(noise_sd=1e-4, curve=planted.kinked, lr_curvature=0.05, diverged_from={512: -8.0})
    (proposal,) = on_lr(law).settle
    assert (proposal.cause, proposal.seeds) == ("regret_uncertain", (1, 2))
    distances = {round(min(abs(x + 8.3), abs(x + 9.0)), 2) for x in proposal.log2_x}
    assert max(distances) <= 0.5 and len(proposal.log2_x) == 4


def test_the_cost_of_a_proposal_is_that_of_its_width(study: pd.DataFrame) -> None:
    one_seed = judge(study[study["seed"] != 2], planted.question())
    assert one_seed.settle
    for proposal in one_seed.settle:
        assert proposal.flops == 1e6 * proposal.axis_value**2 * proposal.n_trials
