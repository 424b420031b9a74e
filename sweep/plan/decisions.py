"""Decisions: the proposals of a generation, the centre of the slices, the transferred set.

A decision is a choice that results led to. It is written down before the first trial that follows
from it and never derived again, so a driver that dies, another machine or a repaired row cannot
orphan what has run. `settle` and `convergence` make further decisions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mutransfer.analysis.fit.optimum import Optimum, slice_optimum
from mutransfer.analysis.table.slice import Slice, lowest_loss
from mutransfer.analysis.table.unlearned import unlearnable
from mutransfer.analysis.verdict.question import Tolerance
from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan import lattice, search, slices
from mutransfer.sweep.plan.request import (
    HPSet,
    TrialRequest,
    hp_values,
    number,
    outcomes,
    trial,
)
from mutransfer.sweep.spec.study import Study

Decisions = Mapping[str, Mapping[str, Any]]  # contents of decisions, by name
CENTRE, TRANSFERRED = "centre", "transferred"  # names of decisions


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A choice to be written down, under ``name``, before anything that follows from it."""

    name: str
    content: dict[str, Any]


GENERATION = "search-"  # begins the name of each decision that holds proposals


def generation_name(generation: int) -> str:
    """The name of the decision that contains a generation's proposals."""
    return f"{GENERATION}{generation:03d}"


def decide_proposals(
    study: Study, decisions: Decisions, table: pd.DataFrame, generation: int
) -> Decision:
    """The decision on the proposals of one generation, given the outcomes of all earlier ones.

    Raises:
        KeyError: a trial of an earlier generation has no row in the table.
    """
    rows = table.set_index("trial_id")
    observations, rests_on = [], []
    for earlier in range(generation):
        earlier_proposals = decisions[generation_name(earlier)]["proposals"]
        for request in search_requests(study, earlier_proposals, earlier):
            row = rows.loc[request.trial_id]
            status, val_loss = str(row["status"]), number(row["val_loss"])
            hps = {name: float(getattr(request.config.hps, name)) for name in study.parameters}
            observations.append(search.Observation(hps=hps, status=status, val_loss=val_loss))
            outcome = {"trial_id": request.trial_id, "status": status, "val_loss": val_loss}
            rests_on.append(outcome)
    proposals = search.propose(study, observations, generation)
    content = {"method": study.method, "proposals": proposals, "rests_on": rests_on}
    return Decision(name=generation_name(generation), content=content)


def search_requests(
    study: Study, proposals: Sequence[HPSet], generation: int
) -> list[TrialRequest]:
    """One trial for each proposal of a generation."""
    return [
        TrialRequest(
            config=trial(study, axis_value=study.search_at, arm="mup", hps=hps, seed=0),
            asked_by="search",
            generation=generation,
        )
        for hps in proposals
    ]


def decide_centre(study: Study, searched: Sequence[TrialRequest], table: pd.DataFrame) -> Decision:
    """The decision on the centre of all slices: the search's best set, moved to the lattice.

    Raises:
        RunError: no trial of the search has a loss.
    """
    by_id = {request.trial_id: request for request in searched}
    rows = table[table["trial_id"].isin(by_id)]
    done = rows[rows["status"] == "done"].sort_values(["val_loss", "trial_id"])
    if done.empty:
        raise RunError(_no_centre(rows))
    best = done.iloc[0]
    values = hp_values(by_id[best["trial_id"]].config.hps)
    chosen = {name: v for name, v in values.items() if name in study.parameters and v is not None}
    content = {
        "search_best": chosen,
        "search_best_trial_id": str(best["trial_id"]),
        "search_best_val_loss": float(best["val_loss"]),
        "centre": on_lattice(study, chosen),
        "rests_on": outcomes(rows),
    }
    return Decision(name=CENTRE, content=content)


def _no_centre(rows: pd.DataFrame) -> str:
    """Why the search has no best trial, and what to do."""
    counts = rows["status"].value_counts().to_dict()
    told = ", ".join(f"{n} {status}" for status, n in counts.items())
    advice = unlearnable(rows) or (
        "see `mutransfer status`, correct `parameters` (usually: lower learning rates)"
    )
    return (
        f"no trial of the search gave a loss ({told}), so there is no centre for slices; {advice}; "
        "then run again with another --runs"
    )


def on_lattice(study: Study, hps: HPSet) -> dict[str, float]:
    """``hps`` with each sliced HP moved to its nearest lattice value within the hard limits."""
    spacing = study.transfer.spacing_log2
    moved: dict[str, float] = {}
    for name in study.transfer.parameters:
        low, high = study.limits_log2(name)
        log2 = lattice.nearest(math.log2(hps[name]), spacing)
        log2 += spacing * ((log2 < low) - (log2 > high))
        moved[name] = lattice.value_at(name, log2)
    return {**hps, **moved}


def decide_transferred(
    study: Study, centre: HPSet, rests_on: Sequence[TrialRequest], table: pd.DataFrame
) -> Decision:
    """The decision on the transferred set: each sliced HP at its fitted μP optimum at the search.

    An optimum that rounds to a lattice value is that value (`lattice.chosen`). One that is not
    bracketed is the best lattice value, and flagged.
    """
    spacing = study.transfer.spacing_log2
    transferred, optima, flags = dict(centre), {}, {}
    for plan in slices.ladder(study, centre):
        if not gives_transferred(study, plan):
            continue
        optimum = slice_optimum_of(study, plan.read(study, table))
        if optimum.log2_opt is not None:
            transferred[plan.hp] = lattice.chosen(
                plan.hp, optimum.log2_opt, spacing, limits=study.limits_log2(plan.hp)
            )
        flags[plan.hp] = list(optimum.flags)
        optima[plan.hp] = optimum_record(optimum)
    ids = {request.trial_id for request in rests_on}
    content = {
        "transferred": transferred,
        "flags": flags,
        "optima": optima,
        "rests_on": outcomes(table[table["trial_id"].isin(ids)]),
    }
    return Decision(name=TRANSFERRED, content=content)


def slice_optimum_of(study: Study, slice_: Slice) -> Optimum:
    """The optimum of a slice, fitted with the tolerance of the study."""
    accepted = study.target.tolerance
    tolerance = Tolerance(kind=accepted.kind, value=accepted.value)
    loss = tolerance.in_loss(target_best=lowest_loss(slice_), search_best=None)
    return slice_optimum(slice_, tolerance_loss=loss)


def gives_transferred(study: Study, plan: slices.SlicePlan) -> bool:
    """Whether the transferred value of an HP is the optimum of this slice."""
    return plan.axis_value == study.search_at and plan.arm == "mup"


def optimum_record(optimum: Optimum) -> dict[str, Any]:
    """What a decision records of an optimum."""
    return {
        "log2_opt": optimum.log2_opt,
        "log2_low": optimum.log2_low,
        "log2_high": optimum.log2_high,
        "bracketed": optimum.bracketed,
    }
