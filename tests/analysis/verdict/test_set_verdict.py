"""The verdict on the set, from those on its HPs."""

import pandas as pd

from mutransfer.analysis.verdict.judge import judge
from mutransfer.analysis.verdict.question import Tolerance
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
    question = planted.question(tolerance=Tolerance(kind="abs_loss", value=0.02))
    judged = judge(planted.table(law), question)
    assert [e.harmless for e in judged.hps] == [True, True]
    assert judged.verdict == "INCONCLUSIVE"


def test_bounds_add_up_over_the_set() -> None:
    law = Law(noise_sd=0.0008)
    df = planted.table(law)
    wide = judge(df, planted.question())
    assert wide.set.regret_upper > max(e.regret.upper for e in wide.hps)
    limit = 1.02 * max(e.regret.upper for e in wide.hps)
    tight = judge(df, planted.question(tolerance=Tolerance(kind="abs_loss", value=limit)))
    assert [e.word for e in tight.hps] == ["PASS", "PASS"]
    assert tight.verdict == "INCONCLUSIVE"
    assert codes(tight) == {"sum_uncertain"}


def test_a_set_worse_than_its_slices_fails(study: pd.DataFrame) -> None:
    """The set's own runs are bad although the curves look well: the HPs interact."""
    spoiled = study.copy()
    spoiled.loc[is_set_at_target(study), "val_loss"] += 0.05
    judged = judge(spoiled, planted.question())
    assert judged.verdict == "FAIL"
    assert judged.set.excess_lower > judged.set.tolerance_loss
