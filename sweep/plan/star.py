"""The check at the target as a *star*: the transferred set and a few neighbours of it, HP by HP.

Its trials come in batches. After each the verdict is asked for, which is a *look* at the results.
Each HP has two neighbours of the transferred value, below and above it, and two values half as far;
a look runs some of these with one seed (`analysis.transfer.star_design.Look`). A look at which the
verdict is PASS or FAIL ends the check, and so does the last one.

Where the neighbours stand and what each look runs is a decision, and the word of each look another
one. All here follows from the study and its decisions; `star_decisions` makes them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mutransfer.analysis.transfer.star_design import FIVE_FIRST, Look
from mutransfer.sweep.plan import lattice
from mutransfer.sweep.plan.decisions import TRANSFERRED, Decisions
from mutransfer.sweep.plan.request import HPSet, TrialRequest, trial
from mutransfer.sweep.spec.sections import MAX_LOOKS
from mutransfer.sweep.spec.study import Study
from mutransfer.words import HPName, Stage

STAR, LOOK = "star", "look-"  # the name of the decision on the values, and those of looks
SHARES = (-1.0, -0.5, 0.5, 1.0)  # of the offset of a neighbour; 0 is the set itself
# Where the neighbours stand if the ladder shows no minimum, octaves below and above.
UNKNOWN_OFFSETS = (1.0, 1.0)
# By HP, its `values`: pairs of a share and the value there.
StarValues = Mapping[str, Mapping[str, Any]]


def look_name(look: int) -> str:
    """The name of the decision on a look, counted from 1."""
    return f"{LOOK}{look}"


def n_begun(decisions: Decisions) -> int:
    """Looks whose trials are requested, given that the star is chosen: one more than went on."""
    return 1 + n_interim(decisions)


def n_interim(decisions: Decisions) -> int:
    """Looks that were followed by another one: interim analyses of the verdict."""
    names = (look_name(look) for look in range(1, MAX_LOOKS + 1))
    return sum(name in decisions and decisions[name]["goes_on"] for name in names)


def due(decisions: Decisions) -> str | None:
    """The name of the decision that comes next; None where the check is over."""
    if STAR not in decisions:
        return STAR
    name = look_name(n_begun(decisions))
    return None if name in decisions else name


def expected_looks(study: Study, decisions: Decisions) -> tuple[Look, ...]:
    """The looks that the check took where it is over, else as many as it may take."""
    is_over = STAR in decisions and due(decisions) is None
    return looks(decisions)[: n_begun(decisions) if is_over else study.target.max_looks]


def looks(decisions: Decisions) -> tuple[Look, ...]:
    """What each look runs; before that is decided, the looks that start with the most runs."""
    if STAR not in decisions:
        return FIVE_FIRST
    entries = decisions[STAR]["looks"]
    return tuple(Look(int(entry["seed"]), tuple(entry["shares"])) for entry in entries)


def target_seeds(decisions: Decisions) -> tuple[int, ...]:
    """Seeds at the target, as far as they are requested."""
    begun = looks(decisions)[: n_begun(decisions)]
    return tuple(sorted({look.seed for look in begun}))


def values(
    study: Study, transferred: HPSet, offsets_log2: Mapping[HPName, tuple[float, float]]
) -> dict[str, dict[str, Any]]:
    """The values of each HP about the transferred one, as the decision records them.

    Args:
        study: The study; neighbours stand within the hard limits of their HP.
        transferred: The transferred set.
        offsets_log2: By HP how far its neighbours stand below and above, octaves.

    Returns:
        By HP its offsets after limits, and pairs of a share and the value there; a value that
        rounds to the transferred one is left out.
    """
    return {hp: _values(study, hp, transferred[hp], of_hp) for hp, of_hp in offsets_log2.items()}


def _values(study: Study, hp: str, value: float, offsets: tuple[float, float]) -> dict[str, Any]:
    at, (low, high) = math.log2(value), study.limits_log2(hp)
    below, above = max(0.0, min(offsets[0], at - low)), max(0.0, min(offsets[1], high - at))
    chosen = [
        lattice.chosen(
            hp,
            at + share * (below if share < 0 else above),
            study.transfer.spacing_log2,
            (value,),
            limits=(low, high),
        )
        for share in SHARES
    ]
    pairs = [[share, x] for share, x in zip(SHARES, chosen, strict=True) if x != value]
    return {"offsets_log2": [below, above], "values": pairs}


def requested_trials(study: Study, decisions: Decisions) -> list[TrialRequest]:
    """The trials of all looks that have begun; none before the star is chosen."""
    if STAR not in decisions:
        return []
    transferred, of_hps = decisions[TRANSFERRED]["transferred"], decisions[STAR]["hps"]
    return trials(study, transferred, of_hps, looks(decisions)[: n_begun(decisions)])


def nominal(study: Study, transferred: HPSet, of_looks: Sequence[Look]) -> list[TrialRequest]:
    """The trials of these looks, with neighbours at a distance that is not known yet."""
    offsets = dict.fromkeys(study.transfer.parameters, UNKNOWN_OFFSETS)
    return trials(study, transferred, values(study, transferred, offsets), of_looks)


def trials(
    study: Study, transferred: HPSet, of_hps: StarValues, of_looks: Sequence[Look]
) -> list[TrialRequest]:
    """The trials of these looks, in order."""
    requests = []
    for look in of_looks:
        if 0.0 in look.shares:
            requests.append(_request(study, transferred, look.seed, "set"))
        requests += [
            _request(study, {**transferred, hp: value}, look.seed, "target")
            for hp, value in _at_shares(of_hps, look.shares)
        ]
    return requests


def _at_shares(of_hps: StarValues, shares: tuple[float, ...]) -> Iterator[tuple[str, float]]:
    for hp, of_hp in of_hps.items():
        for share, value in of_hp["values"]:
            if share in shares:
                yield hp, value


def _request(study: Study, hps: HPSet, seed: int, stage: Stage) -> TrialRequest:
    config = trial(study, axis_value=study.target_at, arm="mup", hps=hps, seed=seed)
    return TrialRequest(config=config, asked_by=stage)
