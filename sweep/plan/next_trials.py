"""What runs next: a pure function of (study, decisions, table).

Decisions are the choices that results once led to: a generation of proposals, the centre of the
slices, the transferred set. They are written down before the first trial that follows from them
and never derived again, so a driver that dies, another machine or a repaired row cannot orphan
what has run. Everything else is derived afresh each time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mutransfer.analysis.fit.optimum import slice_optimum
from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan import convergence, search, settle, slices
from mutransfer.sweep.plan.request import (
    HPSet,
    TrialRequest,
    hp_values,
    number,
    outcomes,
    trial,
    unique,
)
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study

Decisions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A choice to be written down, under ``name``, before anything that follows from it."""

    name: str
    content: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Next:
    """What comes next: a decision to write down, or trials to run; neither where all is done.

    ``asked`` holds every trial that is asked for so far, finished ones too, in order.
    """

    decision: Decision | None = None
    trials: tuple[TrialRequest, ...] = ()
    asked: tuple[TrialRequest, ...] = ()

    @property
    def finished(self) -> bool:
        """Nothing is left to do."""
        return self.decision is None and not self.trials


def next_trials(study: Study, decisions: Decisions, table: pd.DataFrame) -> Next:
    """What runs next.

    Args:
        study: The validated study.
        decisions: Those written so far, by name.
        table: The results so far (``analysis.table``), one row a finished trial.

    Raises:
        RunError: no trial of the search gave a loss, so there is no centre for slices.
    """
    status = dict(zip(table["trial_id"], table["status"], strict=True))
    asked: list[TrialRequest] = []
    for generation in range(search.n_generations(study)):
        if search_name(generation) not in decisions:
            content = _proposals(study, decisions, table, generation)
            return _decide(search_name(generation), content, asked)
        asked += _search_asks(study, decisions[search_name(generation)]["proposals"], generation)
        if any(ask.trial_id not in status for ask in asked):
            return _run(asked, status)
    if "centre" not in decisions:
        return _decide("centre", _centre(study, unique(asked), table), asked)
    plans = slices.ladder(study, decisions["centre"]["centre"])
    by_plan = {id(plan): slices.asks(study, plan, table, status) for plan in plans}
    asked += [ask for plan in plans for ask in by_plan[id(plan)]]
    if "transferred" not in decisions:
        needed = [a for p in plans if _gives_transferred(study, p) for a in by_plan[id(p)]]
        if any(ask.trial_id not in status for ask in needed):
            return _run(asked, status)
        content = _transferred(study, decisions["centre"]["centre"], needed, table)
        return _decide("transferred", content, asked)
    transferred = decisions["transferred"]["transferred"]
    asked += _set_asks(study, transferred)
    for plan in slices.target(study, transferred):
        asked += slices.asks(study, plan, table, status)
    asked += settle.asks(study, decisions)
    compared, tuned = convergence.asks(study, decisions, table, status)
    if tuned is not None:
        return _decide(convergence.NAME, tuned, asked + compared)
    return _run(asked + compared, status)


def nominal(study: Study) -> list[TrialRequest]:
    """The trials of a study in which no slice has to be extended or refined.

    Their number and cost hardly depend on what the search finds, so the middle of each range
    stands for it.
    """
    middle = {name: space.rounded(name, d.middle) for name, d in study.parameters.items()}
    if study.method in search.LEARNING:  # its later proposals are not known yet
        n_trials = study.search.trials
        points = [{**middle, "lr": middle["lr"] * (1 + i / 1e4)} for i in range(n_trials)]
    else:
        points = search.propose(study, (), 0)
    centre = _on_lattice(study, middle)
    off_lattice: dict[str, float] = {
        n: space.rounded(n, centre[n] * 1.1) for n in study.transfer.parameters
    }
    transferred = centre | off_lattice
    asked = _search_asks(study, points, 0)
    for plan in slices.ladder(study, centre):
        asked += slices.asks(study, plan, None, {})
    asked += _set_asks(study, transferred)
    for plan in slices.target(study, transferred):
        asked += slices.asks(study, plan, None, {})
    return unique(asked + convergence.nominal(study, transferred))


def search_name(generation: int) -> str:
    """The name of the decision that holds a generation's proposals."""
    return f"search-{generation:03d}"


def _decide(name: str, content: dict[str, Any], asked: list[TrialRequest]) -> Next:
    return Next(decision=Decision(name=name, content=content), asked=tuple(unique(asked)))


def _run(asked: list[TrialRequest], status: Mapping[str, str]) -> Next:
    every = tuple(unique(asked))
    return Next(trials=tuple(a for a in every if a.trial_id not in status), asked=every)


def _gives_transferred(study: Study, plan: slices.SlicePlan) -> bool:
    return plan.axis_value == study.search_at and plan.arm == "mup"


def _search_asks(study: Study, proposals: Sequence[HPSet], generation: int) -> list[TrialRequest]:
    return [
        TrialRequest(
            config=trial(study, axis_value=study.search_at, arm="mup", hps=hps, seed=0),
            asked_by="search",
            generation=generation,
        )
        for hps in proposals
    ]


def _set_asks(study: Study, transferred: HPSet) -> list[TrialRequest]:
    """The transferred set trained as a set, at the target and at the search place."""
    axis_values = (
        (study.target_at, study.target.seeds),
        (study.search_at, study.transfer.seeds),
    )
    return [
        TrialRequest(
            config=trial(study, axis_value=p, arm="mup", hps=transferred, seed=s), asked_by="set"
        )
        for p, n_seeds in axis_values
        for s in range(1, n_seeds + 1)
    ]


def _proposals(
    study: Study, decisions: Decisions, table: pd.DataFrame, generation: int
) -> dict[str, Any]:
    rows = table.set_index("trial_id")
    told, rests_on = [], []
    for earlier in range(generation):
        for ask in _search_asks(study, decisions[search_name(earlier)]["proposals"], earlier):
            row = rows.loc[ask.trial_id]
            status, val_loss = str(row["status"]), number(row["val_loss"])
            hps = {name: float(getattr(ask.config.hps, name)) for name in study.parameters}
            told.append(search.Observation(hps=hps, status=status, val_loss=val_loss))
            rests_on.append({"trial_id": ask.trial_id, "status": status, "val_loss": val_loss})
    proposals = search.propose(study, told, generation)
    return {"method": study.method, "proposals": proposals, "rests_on": rests_on}


def _centre(study: Study, asked: Sequence[TrialRequest], table: pd.DataFrame) -> dict[str, Any]:
    """The search best, and the same on the lattice: the fixed point of all ladder slices."""
    by_id = {ask.trial_id: ask for ask in asked}
    rows = table[table["trial_id"].isin(by_id)]
    done = rows[rows["status"] == "done"].sort_values(["val_loss", "trial_id"])
    if done.empty:
        counts = rows["status"].value_counts().to_dict()
        raise RunError(
            "no trial of the search gave a loss ("
            + ", ".join(f"{n} {status}" for status, n in counts.items())
            + "), so there is no centre for slices; see `mutransfer status`, correct "
            "`parameters` (mostly: lower learning rates) and run again with another --runs"
        )
    best = done.iloc[0]
    values = hp_values(by_id[best["trial_id"]].config.hps)
    chosen = {name: v for name, v in values.items() if name in study.parameters and v is not None}
    return {
        "search_best": chosen,
        "search_best_trial_id": str(best["trial_id"]),
        "search_best_val_loss": float(best["val_loss"]),
        "centre": _on_lattice(study, chosen),
        "rests_on": outcomes(rows),
    }


def _on_lattice(study: Study, hps: HPSet) -> dict[str, float]:
    """``hps`` with each sliced HP moved to its nearest lattice value within the hard limits."""
    spacing = study.transfer.spacing_log2
    moved: dict[str, float] = {}
    for name in study.transfer.parameters:
        low, high = study.limits_log2(name)
        log2 = space.to_lattice(hps[name], spacing)
        log2 += spacing * ((log2 < low) - (log2 > high))
        moved[name] = space.rounded(name, 2.0**log2)
    return {**hps, **moved}


def _transferred(
    study: Study, centre: HPSet, rests_on: Sequence[TrialRequest], table: pd.DataFrame
) -> dict[str, Any]:
    """The transferred set: each sliced HP at its fitted μP optimum at the search place.

    Where that optimum is not bracketed the best lattice value stands for it, flagged.
    """
    transferred, optima, flags = dict(centre), {}, {}
    for plan in slices.ladder(study, centre):
        if not _gives_transferred(study, plan):
            continue
        optimum = slice_optimum(plan.read(study, table), spacing_log2=study.transfer.spacing_log2)
        value = 2.0**optimum.log2_opt if optimum.log2_opt is not None else centre[plan.hp]
        transferred[plan.hp] = space.rounded(plan.hp, value)
        flags[plan.hp] = list(optimum.flags)
        optima[plan.hp] = {
            "log2_opt": optimum.log2_opt,
            "log2_low": optimum.log2_low,
            "log2_high": optimum.log2_high,
            "bracketed": optimum.bracketed,
        }
    ids = {ask.trial_id for ask in rests_on}
    return {
        "transferred": transferred,
        "flags": flags,
        "optima": optima,
        "rests_on": outcomes(table[table["trial_id"].isin(ids)]),
    }
