"""`mutransfer run --settle`: the trials that would settle a verdict, as a decision.

Each of these decisions is a further interim analysis of the verdict. A decision without trials
records that the spec grew by seeds, axis values or `max_extend`.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mutransfer.analysis.verdict.proposals import Proposal
from mutransfer.sweep.plan import lattice
from mutransfer.sweep.plan.decisions import CENTRE, TRANSFERRED, Decisions
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.spec.study import Study

PREFIX = "settle-"


def names(decisions: Mapping[str, Any]) -> list[str]:
    """The names of the settle decisions written so far, in order."""
    return sorted(name for name in decisions if name.startswith(PREFIX))


def next_name(decisions: Mapping[str, Any]) -> str:
    """The name of the next settle decision."""
    return f"{PREFIX}{len(names(decisions)):03d}"


def content(
    study: Study, proposals: tuple[Proposal, ...], decisions: Decisions, sentence: str
) -> dict[str, Any]:
    """The content of the decision to run the proposed trials; ``sentence`` gives the reason.

    A proposal has rounded logarithms. Those of values that have been run become these values
    (`lattice.chosen`): further seeds of a value count for that value. Values beyond the hard limits
    of their HP are left out.
    """
    centre, transferred = decisions[CENTRE]["centre"], decisions[TRANSFERRED]["transferred"]
    sets = [centre, transferred, *(entry["hps"] for entry in _entries(decisions))]
    trials = []
    for proposal in proposals:
        base = transferred if proposal.at_target else centre
        hp, spacing = proposal.hp, study.transfer.spacing_log2
        known, limits = [hps[hp] for hps in sets], study.limits_log2(hp)
        for log2_x in proposal.log2_x:
            value = lattice.chosen(hp, log2_x, spacing, known, limits=limits)
            if not limits[0] <= math.log2(value) <= limits[1] and value not in known:
                continue
            hps = {**base, hp: value}
            trials += [
                {"place": proposal.axis_value, "arm": proposal.arm, "hps": hps, "seed": seed}
                for seed in proposal.seeds
            ]
    return {"rests_on": sentence, "trials": trials}


def requested_trials(study: Study, decisions: Decisions) -> list[TrialRequest]:
    """The trials of all settle decisions."""
    return [
        TrialRequest(
            config=trial(
                study,
                axis_value=_axis_value(entry),
                arm=entry["arm"],
                hps=entry["hps"],
                seed=entry["seed"],
            ),
            asked_by="target" if _axis_value(entry) == study.target_at else "slices",
        )
        for entry in _entries(decisions)
    ]


def entries_at_target(study: Study, decisions: Decisions) -> list[Mapping[str, Any]]:
    """The entries of settle decisions that are trials at the target."""
    return [e for e in _entries(decisions) if _axis_value(e) == study.target_at]


def _entries(decisions: Decisions) -> Iterator[Mapping[str, Any]]:
    for name in names(decisions):
        yield from decisions[name]["trials"]


def _axis_value(entry: Mapping[str, Any]) -> int:
    """The axis value of a trial; decisions older than the other axes store it as its width."""
    return int(entry["place"] if "place" in entry else entry["width"])
