"""The decisions of a star: where the neighbours stand, and the word of the verdict at each look."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mutransfer.analysis.transfer.star_design import star_looks, star_offsets
from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.judge import judge
from mutransfer.sweep.plan import star
from mutransfer.sweep.plan.decisions import TRANSFERRED, Decision, Decisions
from mutransfer.sweep.plan.question import study_question
from mutransfer.sweep.plan.request import TrialRequest, outcomes
from mutransfer.sweep.spec.study import Study


def decide(
    study: Study, decisions: Decisions, table: pd.DataFrame, requested: Sequence[TrialRequest]
) -> Decision:
    """The decision of the star that is due (`star.due`).

    Args:
        study: The study.
        decisions: The decisions so far, the transferred set among them.
        table: The results so far.
        requested: All trials so far; each has a row.
    """
    if star.STAR not in decisions:
        return _decide_star(study, decisions, table, requested)
    return _decide_look(study, decisions, table, requested)


def _decide_star(
    study: Study, decisions: Decisions, table: pd.DataFrame, requested: Sequence[TrialRequest]
) -> Decision:
    """Where the neighbours of each HP stand, and what each look runs, by the ladder's slices."""
    question = study_question(study, decisions)
    assert question is not None, "the centre is decided"
    # Without a set there is no slice at the target, which has no say in this.
    fits = gather(table, dataclasses.replace(question, transferred=None))
    ladder = {hp: fits[hp].of_arm("mup") for hp in study.transfer.parameters}
    offsets = {hp: star_offsets(of_hp) or star.UNKNOWN_OFFSETS for hp, of_hp in ladder.items()}
    looks = star_looks(fit for of_hp in ladder.values() for fit in of_hp)
    content = {
        "hps": star.values(study, decisions[TRANSFERRED]["transferred"], offsets),
        "looks": [{"seed": look.seed, "shares": list(look.shares)} for look in looks],
        "rests_on": _outcomes(
            table, [r for r in requested if r.config.arm == "mup" and r.asked_by != "search"]
        ),
    }
    return Decision(name=star.STAR, content=content)


def _decide_look(
    study: Study, decisions: Decisions, table: pd.DataFrame, requested: Sequence[TrialRequest]
) -> Decision:
    """The word of the verdict on all that has run, and whether the check goes on."""
    question = study_question(study, decisions)
    assert question is not None and study.target.max_looks is not None
    verdict, look = judge(table, question), star.n_begun(decisions)
    content = {
        "look": look,
        "word": verdict.verdict,
        "sentence": verdict.sentence,
        "goes_on": verdict.verdict == "INCONCLUSIVE" and look < study.target.max_looks,
        "n_interim": question.n_interim,
        "rests_on": _outcomes(
            table, [r for r in requested if r.config.axis_value(study.axis) == study.target_at]
        ),
    }
    return Decision(name=star.look_name(look), content=content)


def _outcomes(table: pd.DataFrame, requests: Sequence[TrialRequest]) -> list[dict[str, Any]]:
    return outcomes(table[table["trial_id"].isin({r.trial_id for r in requests})])
