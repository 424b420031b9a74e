"""Stage `convergence`: μP with the transferred set beside SP, at the target width.

SP is trained twice: untuned (`default_lr`, every other HP at its default or at the constant of the
spec), and with its LR tuned at the target width, the other HPs as in the transferred set. All runs
have the number of validations of the section `convergence`, which changes only the curve; the slice
that tunes SP's LR needs no curve.
"""

import dataclasses
from collections.abc import Mapping

import pandas as pd

from mutransfer.analysis.transfer.comparison import Comparison
from mutransfer.sweep.plan import lattice, slices
from mutransfer.sweep.plan.decisions import (
    TRANSFERRED,
    Decision,
    Decisions,
    optimum_record,
    slice_optimum_of,
)
from mutransfer.sweep.plan.request import HPSet, TrialRequest, hp_values, outcomes, trial
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study
from mutransfer.words import Arm, Stage

STAGE: Stage = "convergence"
NAME = "convergence"  # name of the decision on SP's LR


def requested_trials(
    study: Study, decisions: Decisions, table: pd.DataFrame, status: Mapping[str, str]
) -> tuple[list[TrialRequest], Decision | None]:
    """The stage's trials, given what has run, and the decision on SP's LR where that is due.

    Args:
        study: The study; without the section there are no trials.
        decisions: The decisions written so far, the transferred set among them.
        table: The results so far.
        status: The status of each finished trial, by trial_id.
    """
    if study.convergence is None:
        return [], None
    transferred = decisions[TRANSFERRED]["transferred"]
    tuning = slices.requested_trials(study, _slice(study, transferred), table, status)
    requested = _untuned_curves(study, transferred) + tuning
    if NAME in decisions:
        return requested + _tuned_curves(study, transferred, decisions[NAME]["lr"]), None
    # Untuned SP may lie on the slice, so the decision waits for it too.
    is_tuned = all(request.trial_id in status for request in requested)
    return requested, _decision(study, transferred, tuning, table) if is_tuned else None


def nominal(study: Study, transferred: HPSet) -> list[TrialRequest]:
    """The stage's trials if SP's slice needs neither extension nor refinement."""
    if study.convergence is None:
        return []
    plan = _slice(study, transferred)
    tuning = slices.requested_trials(study, plan, None, {})
    off_lattice = space.rounded("lr", plan.centre["lr"] * 1.05)
    return (
        _untuned_curves(study, transferred)
        + tuning
        + _tuned_curves(study, transferred, off_lattice)
    )


def comparison(study: Study, decisions: Decisions) -> Comparison | None:
    """The runs that the analysis compares; None without the section or a transferred set."""
    if study.convergence is None or TRANSFERRED not in decisions:
        return None
    transferred = decisions[TRANSFERRED]["transferred"]
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
    """Every HP as the table stores it, defaults included."""
    return hp_values(trial(study, axis_value=study.target_at, arm="sp", hps=hps, seed=1).hps)


def default_set(study: Study) -> dict[str, float]:
    """SP untuned: `default_lr`, the constants of the spec, and the defaults of all other HPs."""
    assert study.convergence is not None
    fixed = {n: d.value for n, d in study.parameters.items() if isinstance(d, space.Constant)}
    return {**fixed, "lr": space.rounded("lr", study.convergence.default_lr)}


def _slice(study: Study, transferred: HPSet) -> slices.SlicePlan:
    """The slice in which SP's LR is tuned, centred on μP's LR / m, m = target / base width.

    It is extended like any other slice, so a wrong centre costs only trials.
    """
    assert study.convergence is not None
    multiplier = study.target_at / study.model.base_width
    return slices.SlicePlan(
        hp="lr",
        arm="sp",
        axis_value=study.target_at,
        centre={**transferred, "lr": space.rounded("lr", transferred["lr"] / multiplier)},
        points=study.convergence.points,
        spacing_log2=study.transfer.spacing_log2,
        seeds=tuple(range(1, study.convergence.seeds + 1)),
        stage=STAGE,
    )


def _untuned_curves(study: Study, transferred: HPSet) -> list[TrialRequest]:
    """The trials of μP and of untuned SP."""
    return _curves(study, "mup", transferred) + _curves(study, "sp", default_set(study))


def _tuned_curves(study: Study, transferred: HPSet, lr: float | None) -> list[TrialRequest]:
    """The trials of SP at its tuned LR; none where it has none."""
    return [] if lr is None else _curves(study, "sp", {**transferred, "lr": lr})


def _curves(study: Study, arm: Arm, hps: HPSet) -> list[TrialRequest]:
    assert study.convergence is not None
    requests = []
    for seed in range(1, study.convergence.seeds + 1):
        config = trial(study, axis_value=study.target_at, arm=arm, hps=hps, seed=seed)
        train = dataclasses.replace(config.train, n_val=study.convergence.n_val)
        config = dataclasses.replace(config, train=train)
        requests.append(TrialRequest(config=config, asked_by=STAGE))
    return requests


def _decision(
    study: Study, transferred: HPSet, tuning: list[TrialRequest], table: pd.DataFrame
) -> Decision:
    """The decision on SP's LR: its fitted optimum, or None where SP trained at no LR.

    An optimum that rounds to another LR of the stage is that LR (`lattice.chosen`).
    """
    spacing = study.transfer.spacing_log2
    optimum = slice_optimum_of(study, _slice(study, transferred).read(study, table))
    log2 = optimum.log2_opt
    known = (default_set(study)["lr"], transferred["lr"])
    content = {
        "lr": None if log2 is None else lattice.chosen("lr", log2, spacing, known),
        "flags": list(optimum.flags),
        "optimum": optimum_record(optimum),
        "rests_on": outcomes(table[table["trial_id"].isin([r.trial_id for r in tuning])]),
    }
    return Decision(name=NAME, content=content)
