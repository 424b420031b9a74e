"""The star of a study in words: what ran at the target, and what each look said."""

import math
from collections.abc import Sequence
from typing import Any

from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.transfer.star_design import FEW_FIRST, FIVE_FIRST, Look
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
    looks_so_far = star.looks(decisions)[:begun]
    shares = {share for look in looks_so_far for share in look.shares}
    values = ["the transferred set"]
    values += [
        _others(hp, transferred[hp], [x for share, x in of_hp["values"] if share in shares])
        for hp, of_hp in decisions[star.STAR]["hps"].items()
    ]
    values += ["some or all with two seeds"] if len(star.target_seeds(decisions)) > 1 else []
    sentences = [f"Check at {at}, a star of {len(requests)} runs: {'; '.join(values)}."]
    if words := [f"look {entry['look']} {entry['word']}" for entry in looks(decisions)]:
        goes_on = star.due(decisions) is not None
        sentences.append(f"So far: {', '.join(words)}" + (", so it goes on." if goes_on else "."))
    return sentences


def looks(decisions: Decisions) -> list[dict[str, Any]]:
    """The looks that were taken, in order: look, word and whether the check went on."""
    names = [star.look_name(look) for look in range(1, star.n_begun(decisions) + 1)]
    keys = ("look", "word", "goes_on")
    return [{key: decisions[n][key] for key in keys} for n in names if n in decisions]


def plan_sentence(study: Study) -> str:
    """What the check of a study will run at the target; empty where it is none by a star."""
    if study.target.check != "star":
        return ""
    fewest, most_at_first = n_runs(study, FEW_FIRST[:1]), n_runs(study, FIVE_FIRST[:1])
    most = n_runs(study, FIVE_FIRST[: study.target.max_looks])
    return (
        f"The target is checked by a star: {fewest} runs at first, or {most_at_first} where the "
        f"ladder is noisy, and {most} at most; PASS or FAIL ends it."
    )


def n_runs(study: Study, looks: Sequence[Look]) -> int:
    """Runs at the target in these looks, where no neighbour is beyond a hard limit."""
    n_hps = len(study.transfer.parameters)
    shares = [share for look in looks for share in look.shares]
    return sum(1 if share == 0 else n_hps for share in shares)


def _others(hp: str, transferred: float, values: list[float]) -> str:
    factors = [f"2^{math.log2(value / transferred):+.2g}" for value in values]
    return f"{hp} at {', '.join(factors)} of it" if factors else f"no other {hp}"
