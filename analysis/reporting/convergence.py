"""The comparison of convergence in sentences and tables, for the terminal and the report."""

import math
from typing import NamedTuple

from mutransfer.analysis.text_table import TextTable, number
from mutransfer.analysis.transfer.speed_up import ConvergenceResult, SpeedUp

BASELINE_NAMES = {"default": "SP at its default LR", "tuned": "SP at its own tuned LR"}


class ConvergenceSummary(NamedTuple):
    """A convergence result in words: findings, tables, and limitations."""

    sentences: tuple[str, ...]
    tables: tuple[TextTable, ...]
    caveats: tuple[str, ...]


def summary(result: ConvergenceResult) -> ConvergenceSummary:
    """Return sentences, tables and caveats of a convergence result."""
    sentences = tuple(sentence(result, s) for s in result.speed_ups)
    tables = (ratios_table(result), seeds_table(result))
    return ConvergenceSummary(sentences, tables, caveats(result))


def sentence(result: ConvergenceResult, speed_up: SpeedUp) -> str:
    """Return the result against one baseline in a sentence with figures."""
    comparison = result.comparison
    baseline = f"{BASELINE_NAMES[speed_up.baseline]} (2^{math.log2(speed_up.lr):.2f})"
    start = f"At width {comparison.width} μP with the transferred set"
    n = len(speed_up.pairs)
    seeds = f"{n} seeds, paired" if n > 1 else "one seed"
    if speed_up.kind == "none":
        return f"{start} is not compared with {baseline}: {speed_up.reason}."
    if speed_up.kind == "bound":
        missed = f"{speed_up.n_unreached} of {n} seeds" if n > 1 else seeds
        confidence = 100 * (speed_up.below_confidence or 0.0)
        return (
            f"{start} does not reach the final loss of {baseline} within {comparison.steps} steps "
            f"with {missed}: the ratio of SP's steps to μP's is below {number(speed_up.below, 3)} "
            f"({confidence:.3g} % confidence)."
        )
    interval = "no interval"
    if speed_up.low is not None:
        interval = f"95 %: {number(speed_up.low, 3)} … {number(speed_up.high, 3)}"
    return (
        f"{start} reaches the final loss of {baseline}: the ratio of SP's steps to μP's is "
        f"{number(speed_up.ratio, 3)} ({interval}; {seeds})."
    )


def ratios_table(result: ConvergenceResult) -> TextTable:
    """Return the ratios of steps and of FLOPs against each baseline."""
    rows = [
        (
            BASELINE_NAMES[s.baseline],
            f"{math.log2(s.lr):.2f}",
            _ratio(s, 1.0),
            "–" if s.flops_factor is None else _ratio(s, s.flops_factor),
            f"{len(s.pairs) - s.n_unreached} of {len(s.pairs)}",
            _difference(s),
            s.reason or "",
        )
        for s in result.speed_ups
    ]
    columns = (
        "baseline",
        "log2 LR",
        "steps, SP / μP",
        "FLOPs, SP / μP",
        "seeds that reach it",
        "final loss, μP − SP",
        "remark",
    )
    return TextTable("Convergence: steps to the final loss of SP", columns, tuple(rows))


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


def seeds_table(result: ConvergenceResult) -> TextTable:
    """Return SP's final loss with each seed, and the step at which each arm reaches it."""
    rows = []
    for s in result.speed_ups:
        for p in s.pairs:
            ratio = f"{2.0**p.log2_ratio:.3g}"
            mup_step = f"> {p.mup_last_step:.0f}"
            if p.mup_step is None:
                ratio = f"< {ratio}"
            else:
                mup_step = f"{p.mup_step:.0f}"
            cells = (str(p.seed), number(p.loss, 5), f"{p.sp_step:.0f}", mup_step, ratio)
            rows.append((BASELINE_NAMES[s.baseline], *cells))
    columns = ("baseline", "seed", "SP's final loss", "step, SP", "step, μP", "ratio")
    return TextTable("Convergence by seed", columns, tuple(rows))


def caveats(result: ConvergenceResult) -> tuple[str, ...]:
    """Return the limitations of these figures, in sentences."""
    comparison = result.comparison
    texts = [
        "Steps are those at which the validation loss, made monotone by isotonic regression, "
        "reaches the final loss of SP; between validations "
        f"({comparison.n_val} per run) the loss is interpolated linearly in log step. "
        "Sample quality is not judged.",
        "A step costs the same FLOPs in both arms (same width, same batch size). The cost of the "
        "search is listed under Cost.",
    ]
    if comparison.is_annealed:
        texts.append(
            "The learning rate is annealed: before the end of a run the loss lacks what annealing "
            "still gains, so the faster arm seems slower than it is. The paper's learning "
            "rate is constant."
        )
    if comparison.sp_tuned is None:
        texts.append("SP's own LR has not been chosen (yet), so the fair comparison is missing.")
    else:
        texts.append(
            "For SP only the LR is tuned, at this width; its other HPs are those of the "
            "transferred set."
        )
    if comparison.sp_tuned_flags:
        flags = ", ".join(comparison.sp_tuned_flags)
        texts.append(f"The slice that chose SP's LR has the flags {flags}.")
    return tuple(texts)
