"""`mutransfer run --settle`: the trials that would settle a verdict, as a decision.

Each decision is a further look at the verdict. One without trials notes that the spec has grown.
"""

from collections.abc import Mapping
from typing import Any

from mutransfer.analysis.verdict.proposals import Proposal
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study

PREFIX = "settle-"


def names(decisions: Mapping[str, Any]) -> list[str]:
    """The settle decisions written so far, in order."""
    return sorted(name for name in decisions if name.startswith(PREFIX))


def next_name(decisions: Mapping[str, Any]) -> str:
    """The name of the settle decision that comes next."""
    return f"{PREFIX}{len(names(decisions)):03d}"


def content(
    proposals: tuple[Proposal, ...], decisions: Mapping[str, Mapping[str, Any]], sentence: str
) -> dict[str, Any]:
    """What is written down before the first of these trials starts."""
    trials = []
    for proposal in proposals:
        base = (
            decisions["transferred"]["transferred"]
            if proposal.at_target
            else decisions["centre"]["centre"]
        )
        for x in proposal.log2_x:
            hps = {**base, proposal.hp: space.rounded(proposal.hp, 2.0**x)}
            trials += [
                {"place": proposal.axis_value, "arm": proposal.arm, "hps": hps, "seed": seed}
                for seed in proposal.seeds
            ]
    return {"rests_on": sentence, "trials": trials}


def asks(study: Study, decisions: Mapping[str, Mapping[str, Any]]) -> list[TrialRequest]:
    """The trials that the settle decisions ask for."""
    found = []
    for name in names(decisions):
        for one in decisions[name]["trials"]:
            axis_value = _axis_value(one)
            stage = "target" if axis_value == study.target_at else "slices"
            config = trial(
                study, axis_value=axis_value, arm=one["arm"], hps=one["hps"], seed=one["seed"]
            )
            found.append(TrialRequest(config=config, asked_by=stage))
    return found


def target_seeds(study: Study, decisions: Mapping[str, Mapping[str, Any]]) -> tuple[int, ...]:
    """Seeds of the target slices, those asked for to settle included."""
    seeds = set(range(1, study.target.seeds + 1))
    for name in names(decisions):
        there = [t for t in decisions[name]["trials"] if _axis_value(t) == study.target_at]
        seeds |= {int(t["seed"]) for t in there}
    return tuple(sorted(seeds))


def _axis_value(one: Mapping[str, Any]) -> int:
    """Where a trial stands; in decisions written before there were other axes, its width."""
    return int(one["place"] if "place" in one else one["width"])
