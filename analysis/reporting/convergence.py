"""Convergence in words and rows, for the terminal and the report."""

import math
from typing import NamedTuple

from mutransfer.analysis.text_table import TextTable, number
from mutransfer.analysis.transfer.speed_up import Convergence, SpeedUp

NAMES = {"default": "SP at its default LR", "tuned": "SP at its own tuned LR"}


class Observation(NamedTuple):
    """What is said of convergence: the findings, the tables, and what limits them."""

    sentences: tuple[str, ...]
    tables: tuple[TextTable, ...]
    caveats: tuple[str, ...]


def told(found: Convergence) -> Observation:
    """Return sentences, tables and caveats of a convergence result."""
    sentences = tuple(sentence(found, s) for s in found.speed_ups)
    return Observation(sentences, (ratios_table(found), seeds_table(found)), caveats(found))


def sentence(found: Convergence, speed_up: SpeedUp) -> str:
    """Return one baseline's result in a sentence with figures."""
    asked = found.comparison
    name = f"{NAMES[speed_up.baseline]} (2^{math.log2(speed_up.lr):.2f})"
    start = f"At width {asked.width} μP with the transferred set"
    n = len(speed_up.pairs)
    seeds = f"{n} seeds, each with itself" if n > 1 else "one seed"
    if speed_up.kind == "none":
        return f"{start} is not compared with {name}: {speed_up.reason}."
    if speed_up.kind == "bound":
        missed = f"{speed_up.n_unreached} of {n} seeds" if n > 1 else seeds
        level = 100 * (speed_up.below_level or 0.0)
        return (
            f"{start} does not reach the final loss of {name} within {asked.steps} steps with "
            f"{missed}: SP's steps over μP's are below {number(speed_up.below, 3)} "
            f"(confidence {level:.3g} %)."
        )
    if speed_up.low is None:
        interval = "no interval"
    else:
        interval = f"95 %: {number(speed_up.low, 3)} … {number(speed_up.high, 3)}"
    return (
        f"{start} reaches the final loss of {name} with {number(speed_up.ratio, 3)} times fewer "
        f"steps ({interval}; {seeds})."
    )


def ratios_table(found: Convergence) -> TextTable:
    """Return the ratio of steps and of FLOPs against each baseline."""
    rows = []
    for s in found.speed_ups:
        factor = s.flops_factor
        flops = "–" if factor is None else _ratio(s, factor)
        rows.append(
            (
                NAMES[s.baseline],
                f"{math.log2(s.lr):.2f}",
                _ratio(s, 1.0),
                flops,
                f"{len(s.pairs) - s.n_unreached} of {len(s.pairs)}",
                _difference(s),
                s.reason or "",
            )
        )
    columns = (
        "baseline",
        "log2 LR",
        "steps, SP / μP",
        "FLOPs, SP / μP",
        "seeds that get there",
        "final loss, μP − SP",
        "remark",
    )
    return TextTable("Convergence: steps to the final loss of SP", columns, tuple(rows))


def seeds_table(found: Convergence) -> TextTable:
    """Return each seed's loss and the steps at which the arms reach it."""
    rows = []
    for s in found.speed_ups:
        for p in s.pairs:
            beyond = f"> {p.mup_last_step:.0f}"
            mup = beyond if p.mup_step is None else f"{p.mup_step:.0f}"
            ratio = f"{2.0**p.log2_ratio:.3g}"
            ratio = ratio if p.mup_step is not None else f"< {ratio}"
            cells = (str(p.seed), number(p.loss, 5), f"{p.sp_step:.0f}", mup, ratio)
            rows.append((NAMES[s.baseline], *cells))
    columns = ("baseline", "seed", "SP's final loss", "step, SP", "step, μP", "ratio")
    return TextTable("Convergence, seed by seed", columns, tuple(rows))


def caveats(found: Convergence) -> tuple[str, ...]:
    """Return what limits these figures, in sentences."""
    asked = found.comparison
    texts = [
        "Steps are those at which the validation loss, made monotone, reaches the final loss of "
        f"SP; linear in log step between {asked.n_val} validations. Sample quality is not judged.",
        "A step costs the same FLOPs in both arms: same width, same batch; what the search cost "
        "stands under Cost.",
    ]
    if asked.is_annealed:
        texts.append(
            "The learning rate is annealed: before the end a loss lacks what annealing still "
            "gains, so that the arm which is to be early seems later than it is. The paper's "
            "learning rate is constant."
        )
    if asked.sp_tuned is None:
        texts.append("SP's own LR is not chosen (yet), so that the fair comparison is missing.")
    else:
        texts.append(
            "SP is tuned in its LR alone, at this width; its other HPs are the transferred set's."
        )
    if asked.sp_tuned_flags:
        flags = ", ".join(asked.sp_tuned_flags)
        texts.append(f"The slice that chose SP's LR is flagged {flags}.")
    return tuple(texts)


def _ratio(s: SpeedUp, factor: float) -> str:
    if s.kind == "none":
        return "–"
    if s.below is not None:
        return f"< {factor * s.below:.3g}"
    text = f"{factor * (s.ratio or 0.0):.3g}"
    if s.low is None or s.high is None:
        return text
    return f"{text} ({factor * s.low:.3g} … {factor * s.high:.3g})"


def _difference(s: SpeedUp) -> str:
    if s.difference is None:
        return "–"
    text = f"{s.difference:+.3g}"
    if s.difference_low is None or s.difference_high is None:
        return text
    return f"{text} ({s.difference_low:+.3g} … {s.difference_high:+.3g})"
