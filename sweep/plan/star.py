"""The check at the target as a *star*: the transferred set and a few neighbours of it, HP by HP.

Its trials come in batches. After each the verdict is asked for, which is a *look* at the results:

- look 1: the set and, for each HP, one value below and one above the transferred one, seed 1;
- look 2: values half as far from the set, seed 1;
- look 3: seed 2 of all of these.

A look at which the verdict is PASS or FAIL ends the check, and so does the last one. How far the
neighbours stand from the set is a decision, and the word of each look another one. All here follows
from the study and its decisions; `star_decisions` makes them.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mutransfer.sweep.plan import lattice
from mutransfer.sweep.plan.decisions import TRANSFERRED, Decisions
from mutransfer.sweep.plan.request import HPSet, TrialRequest, trial
from mutransfer.sweep.spec.sections import MAX_LOOKS
from mutransfer.sweep.spec.study import Study
from mutransfer.words import HPName, Stage

STAR, LOOK = "star", "look-"  # the name of the decision on the neighbours, and those of looks
NEIGHBOURS, BETWEEN = "neighbours", "between"
# The values of each HP and the seed that a look adds.
LOOKS: tuple[tuple[tuple[str, ...], int], ...] = (
    ((NEIGHBOURS,), 1),
    ((BETWEEN,), 1),
    ((NEIGHBOURS, BETWEEN), 2),
)
assert len(LOOKS) == MAX_LOOKS
WITH_SET = (1, 3)  # the looks that run the set itself
# Where the neighbours stand if the ladder shows no minimum, octaves below and above.
UNKNOWN_OFFSETS = (1.0, 1.0)
# By HP, the values of each kind.
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


def due(study: Study, decisions: Decisions) -> str | None:
    """The name of the decision that comes next; None where the check is over."""
    if STAR not in decisions:
        return STAR
    name = look_name(n_begun(decisions))
    return None if name in decisions else name


def n_looks(study: Study, decisions: Decisions) -> int:
    """Looks that the check takes: those it took where it is over, else the most that it may."""
    assert study.target.max_looks is not None, "a rule of the spec"
    is_over = STAR in decisions and due(study, decisions) is None
    return n_begun(decisions) if is_over else study.target.max_looks


def target_seeds(decisions: Decisions) -> tuple[int, ...]:
    """Seeds at the target, as far as they are requested."""
    return tuple(sorted({seed for _, seed in LOOKS[: n_begun(decisions)]}))


def values(
    study: Study, transferred: HPSet, offsets_log2: Mapping[HPName, tuple[float, float]]
) -> dict[str, dict[str, Any]]:
    """The values of each HP about the transferred one, as the decision records them.

    Args:
        study: The study; neighbours stand within the hard limits of their HP.
        transferred: The transferred set.
        offsets_log2: By HP how far its neighbours stand below and above, octaves.

    Returns:
        By HP its offsets after limits, ``neighbours`` and ``between``, the values at half of each
        offset; a value that rounds to the transferred one is left out.
    """
    return {hp: _values(study, hp, transferred[hp], of_hp) for hp, of_hp in offsets_log2.items()}


def _values(study: Study, hp: str, value: float, offsets: tuple[float, float]) -> dict[str, Any]:
    at, (low, high) = math.log2(value), study.limits_log2(hp)
    below, above = max(0.0, min(offsets[0], at - low)), max(0.0, min(offsets[1], high - at))
    chosen = {
        kind: [
            lattice.chosen(hp, x, study.transfer.spacing_log2, (value,), limits=(low, high))
            for x in (at - share * below, at + share * above)
        ]
        for kind, share in ((NEIGHBOURS, 1.0), (BETWEEN, 0.5))
    }
    different = {kind: [v for v in found if v != value] for kind, found in chosen.items()}
    return {"offsets_log2": [below, above], **different}


def requested_trials(study: Study, decisions: Decisions) -> list[TrialRequest]:
    """The trials of all looks that have begun; none before the star is chosen."""
    if STAR not in decisions:
        return []
    transferred, of_hps = decisions[TRANSFERRED]["transferred"], decisions[STAR]["hps"]
    return trials(study, transferred, of_hps, n_begun(decisions))


def trials(
    study: Study, transferred: HPSet, of_hps: StarValues, n_looks: int
) -> list[TrialRequest]:
    """The trials of the first ``n_looks`` looks, in order."""
    requests = []
    for look, (kinds, seed) in enumerate(LOOKS[:n_looks], start=1):
        if look in WITH_SET:
            requests.append(_request(study, transferred, seed, "set"))
        requests += [
            _request(study, {**transferred, hp: value}, seed, "target")
            for hp, value in _of_kinds(of_hps, kinds)
        ]
    return requests


def nominal(study: Study, transferred: HPSet, n_looks: int) -> list[TrialRequest]:
    """The trials of so many looks, with neighbours at a distance that is not known yet."""
    offsets = dict.fromkeys(study.transfer.parameters, UNKNOWN_OFFSETS)
    return trials(study, transferred, values(study, transferred, offsets), n_looks)


def _of_kinds(of_hps: StarValues, kinds: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    for hp, of_hp in of_hps.items():
        for kind in kinds:
            for value in of_hp[kind]:
                yield hp, value


def _request(study: Study, hps: HPSet, seed: int, stage: Stage) -> TrialRequest:
    config = trial(study, axis_value=study.target_at, arm="mup", hps=hps, seed=seed)
    return TrialRequest(config=config, asked_by=stage)
