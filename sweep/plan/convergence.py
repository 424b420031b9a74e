"""Stage `convergence`: μP with the transferred set beside SP, at the target width.

SP is trained twice: as somebody would who takes it untuned (`default_lr`, every other HP at its
default or as the spec holds it fixed), and with its own LR tuned at the target width, the other
HPs as in the transferred set. Everything is trained with the section's own number of validations,
which changes nothing but the curve; the slice that tunes SP's LR needs no curve.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mutransfer.analysis.fit.optimum import slice_optimum
from mutransfer.analysis.transfer.speed_up import Comparison
from mutransfer.sweep.plan import slices
from mutransfer.sweep.plan.request import HPSet, TrialRequest, hp_values, outcomes, trial
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study
from mutransfer.words import Arm

STAGE = NAME = "convergence"
Decisions = Mapping[str, Mapping[str, Any]]


def asks(
    study: Study, decisions: Decisions, table: pd.DataFrame, status: Mapping[str, str]
) -> tuple[list[TrialRequest], dict[str, Any] | None]:
    """The stage's trials, given what has run, and the decision on SP's LR where that is due.

    Args:
        study: The study; nothing is asked for where it has no such section.
        decisions: Those written so far, the transferred set among them.
        table: The results so far.
        status: The status of each finished trial, by trial_id.
    """
    if study.convergence is None:
        return [], None
    transferred = decisions["transferred"]["transferred"]
    tuning = slices.asks(study, _slice(study, transferred), table, status)
    found = _compared(study, transferred) + tuning
    if NAME in decisions:
        return found + _tuned(study, transferred, decisions[NAME]["lr"]), None
    is_over = all(ask.trial_id in status for ask in tuning)
    return found, _decision(study, transferred, tuning, table) if is_over else None


def nominal(study: Study, transferred: HPSet) -> list[TrialRequest]:
    """The stage's trials if SP's slice has neither to be extended nor refined."""
    if study.convergence is None:
        return []
    plan = _slice(study, transferred)
    tuning = slices.asks(study, plan, None, {})
    off_lattice = space.rounded("lr", plan.centre["lr"] * 1.05)
    return _compared(study, transferred) + tuning + _tuned(study, transferred, off_lattice)


def comparison(study: Study, decisions: Decisions) -> Comparison | None:
    """What the analysis is asked, None where the study does not ask or has no set yet."""
    if study.convergence is None or "transferred" not in decisions:
        return None
    transferred = decisions["transferred"]["transferred"]
    tuned = decisions.get(NAME)
    lr = tuned["lr"] if tuned else None
    return Comparison(
        width=study.target_at,
        seeds=tuple(range(1, study.convergence.seeds + 1)),
        steps=study.train.steps,
        n_val=study.convergence.n_val,
        is_annealed=study.train.schedule != "constant",
        mup=_values(study, transferred),
        sp_default=_values(study, default_set(study)),
        sp_tuned=None if lr is None else _values(study, {**transferred, "lr": lr}),
        sp_tuned_flags=tuple(tuned["flags"]) if tuned else (),
    )


def _values(study: Study, hps: HPSet) -> dict[str, float | None]:
    """Every HP as the table holds it, those included that a model has by default."""
    return hp_values(trial(study, axis_value=study.target_at, arm="sp", hps=hps, seed=1).hps)


def default_set(study: Study) -> dict[str, float]:
    """SP untuned: `default_lr`, what the spec holds fixed, and the defaults of all else."""
    assert study.convergence is not None
    fixed = {n: d.value for n, d in study.parameters.items() if isinstance(d, space.Constant)}
    return {**fixed, "lr": space.rounded("lr", study.convergence.default_lr)}


def _slice(study: Study, transferred: HPSet) -> slices.SlicePlan:
    """The slice in which SP's LR is tuned, begun where theory has it: μP's LR over the multiplier.

    It is extended like any other, so a wrong beginning costs trials and no more.
    """
    assert study.convergence is not None
    multiplier = study.target_at / study.model.base_width
    return slices.SlicePlan(
        hp="lr",
        arm="sp",
        axis_value=study.target_at,
        centre={**transferred, "lr": space.rounded("lr", transferred["lr"] / multiplier)},
        points=study.convergence.points,
        seeds=tuple(range(1, study.convergence.seeds + 1)),
        stage=STAGE,
    )


def _compared(study: Study, transferred: HPSet) -> list[TrialRequest]:
    return _curves(study, "mup", transferred) + _curves(study, "sp", default_set(study))


def _tuned(study: Study, transferred: HPSet, lr: float | None) -> list[TrialRequest]:
    return [] if lr is None else _curves(study, "sp", {**transferred, "lr": lr})


def _curves(study: Study, arm: Arm, hps: HPSet) -> list[TrialRequest]:
    assert study.convergence is not None
    found = []
    for seed in range(1, study.convergence.seeds + 1):
        config = trial(study, axis_value=study.target_at, arm=arm, hps=hps, seed=seed)
        train = dataclasses.replace(config.train, n_val=study.convergence.n_val)
        found.append(TrialRequest(config=dataclasses.replace(config, train=train), asked_by=STAGE))
    return found


def _decision(
    study: Study, transferred: HPSet, tuning: list[TrialRequest], table: pd.DataFrame
) -> dict[str, Any]:
    """SP's tuned LR: its fitted optimum, None where SP trained at no LR."""
    found = _slice(study, transferred).read(study, table)
    optimum = slice_optimum(found, spacing_log2=study.transfer.spacing_log2)
    log2 = optimum.log2_opt
    return {
        "lr": None if log2 is None else space.rounded("lr", 2.0**log2),
        "flags": list(optimum.flags),
        "optimum": {
            "log2_opt": log2,
            "log2_low": optimum.log2_low,
            "log2_high": optimum.log2_high,
            "bracketed": optimum.bracketed,
        },
        "rests_on": outcomes(table[table["trial_id"].isin([ask.trial_id for ask in tuning])]),
    }
