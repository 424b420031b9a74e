"""The star of a study in words: what ran at the target, and what each look said."""

import math
from typing import Any

from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.sweep.plan import star
from mutransfer.sweep.plan.decisions import TRANSFERRED, Decisions
from mutransfer.sweep.spec.study import Study


def star_sentences(study: Study, decisions: Decisions) -> list[str]:
    """What the star is and the word of each look so far; none before its values are chosen."""
    if star.STAR not in decisions:
        return []
    begun, at = star.n_begun(decisions), axis_value_text(study.axis, study.target_at)
    requests = star.requested_trials(study, decisions)
    transferred = decisions[TRANSFERRED]["transferred"]
    neighbours = [
        _neighbours(hp, transferred[hp], of_hp[star.NEIGHBOURS])
        for hp, of_hp in decisions[star.STAR]["hps"].items()
    ]
    values = ["the transferred set", *neighbours]
    values += ["values at half these distances"] if begun > 1 else []
    values += [f"{len(star.target_seeds(decisions))} seeds of each"] if begun > 2 else []
    sentences = [f"Check at {at}, a star of {len(requests)} runs: {'; '.join(values)}."]
    if words := [f"look {entry['look']} {entry['word']}" for entry in looks(decisions)]:
        goes_on = star.due(study, decisions) is not None
        sentences.append(f"So far: {', '.join(words)}" + (", so it goes on." if goes_on else "."))
    return sentences


def looks(decisions: Decisions) -> list[dict[str, Any]]:
    """The looks that were taken, in order: look, word and whether the check went on."""
    names = [star.look_name(look) for look in range(1, star.n_begun(decisions) + 1)]
    keys = ("look", "word", "goes_on")
    return [{key: decisions[n][key] for key in keys} for n in names if n in decisions]


def plan_sentence(study: Study) -> str:
    """What the check of a study will run at the target; empty where it is none by a star."""
    most = study.target.max_looks
    if most is None:
        return ""
    numbers = [n_runs(study, n_looks) for n_looks in range(1, most + 1)]
    if most == 1:
        return f"The target is checked by a star of {numbers[0]} runs, with one look at them."
    later = " or ".join(map(str, numbers[1:]))
    return (
        f"The target is checked by a star: {numbers[0]} runs at first, {later} where these do not "
        "decide; PASS or FAIL ends it."
    )


def n_runs(study: Study, n_looks: int) -> int:
    """Runs at the target after so many looks, where no neighbour is beyond a hard limit."""
    n_hps = len(study.transfer.parameters)
    return sum(
        (look in star.WITH_SET) + 2 * n_hps * len(kinds)
        for look, (kinds, _) in enumerate(star.LOOKS[:n_looks], start=1)
    )


def _neighbours(hp: str, transferred: float, values: list[float]) -> str:
    factors = [f"2^{math.log2(value / transferred):+.2g}" for value in values]
    return f"{hp} at {' and '.join(factors)} of it" if factors else f"no other {hp}"
