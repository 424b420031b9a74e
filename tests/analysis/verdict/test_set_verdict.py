"""The verdict on the set, from those on its HPs."""

import pandas as pd

from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.hp import judge_hp
from mutransfer.analysis.verdict.judge import judge
from mutransfer.analysis.verdict.question import Tolerance
from mutransfer.analysis.verdict.set_verdict import judge_set
from tests.analysis import planted
from tests.analysis.planted import Law
from tests.analysis.verdict.tables import codes, is_set_at_target, lr_question


def test_the_set_of_one_hp_agrees_with_its_hp() -> None:
    for shift in (0.0, -0.6, -1.5):
        law = Law(target_shift=shift, noise_sd=0.001)
        judged = judge(planted.table(law, lr_question(), n_search=0), lr_question())
        assert judged.verdict == judged.of_hp("lr").word


def test_an_hp_that_does_not_matter_does_not_keep_the_set_from_passing() -> None:
    law = Law(std_curvature=0.0002, noise_sd=0.0002)
    judged = judge(planted.table(law), planted.question())
    assert judged.of_hp("init_std").word == "INCONCLUSIVE"
    assert judged.of_hp("init_std").harmless
    assert judged.verdict == "PASS"
    assert "init_std does not matter" in judged.set.notes[0]


def test_hps_that_all_do_not_matter_never_pass() -> None:
    law = Law(std_curvature=0.0002, lr_curvature=0.0002, noise_sd=0.0002)
    question = lr_question(
        parameters=("lr", "init_std"), tolerance=Tolerance(kind="abs_loss", value=0.01)
    )
    fits = gather(planted.table(law, question, n_search=0), question)
    entries = [judge_hp(fits[hp], question) for hp in question.parameters]
    assert [e.harmless for e in entries] == [True, True]
    assert judge_set(entries, fits, question).word == "INCONCLUSIVE"


def test_bounds_add_up_over_the_set() -> None:
    law = Law(noise_sd=0.0008)
    df = planted.table(law)
    wide = judge(df, planted.question())
    assert wide.set.regret_upper > max(e.regret.upper for e in wide.hps)
    # Bounds rise a little with the tolerance: the least one that every HP alone keeps.
    limit = max(e.regret.upper for e in wide.hps)
    tolerances = (
        Tolerance(kind="abs_loss", value=f * limit) for f in (1.02, 1.06, 1.1, 1.2, 1.4, 1.6)
    )
    judged = (judge(df, planted.question(tolerance=t)) for t in tolerances)
    tight = next(v for v in judged if [e.word for e in v.hps] == ["PASS", "PASS"])
    assert tight.verdict == "INCONCLUSIVE"
    assert codes(tight) == {"sum_uncertain"}


def test_a_set_worse_than_its_slices_does_not_pass(study: pd.DataFrame) -> None:
    """The set's own runs are bad although the curves look well: the HPs interact.

    They lie on the curve as well, which then fits no shape.
    """
    spoiled = study.copy()
    spoiled.loc[is_set_at_target(study), "val_loss"] += 0.03
    judged = judge(spoiled, planted.question())
    assert judged.verdict != "PASS"
    assert all("misfit" in e.target.flags for e in judged.hps)
    assert not any("misfit" in e.target.flags for e in judge(study, planted.question()).hps)
