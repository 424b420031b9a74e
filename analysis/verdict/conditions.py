"""The conditions of a PASS (design §7), each met or not."""

from dataclasses import dataclass

from mutransfer.analysis.verdict.findings import HPFigures

OCTAVES_TO_DIVERGENCE = 0.5

MIN_TARGET_SEEDS = 2

# Three values fix a parabola: nothing is left to see whether the curve is one.
MIN_TARGET_VALUES = 4


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition of a PASS: its letter in design §7, whether it holds, and the figures."""

    name: str
    holds: bool
    text: str


def conditions_of(found: HPFigures) -> tuple[Condition, ...]:
    """Return the conditions (a) to (d) of design §7 and (e), enough complete rows."""
    tolerance, r = found.tolerance_loss, found.regret
    gap = found.octaves_to_divergence
    shown = found.sensitivity
    upper = "unknown" if r is None else f"{r.upper:.4g}"
    level = "" if r is None else f" ({100 * r.level:.6g} %)"
    limit = "unknown" if tolerance is None else f"{tolerance:.4g}"
    brackets = [
        f"{found.at(o.axis_value)}: {'yes' if o.bracketed else 'no'}"
        for o in (found.search_opt, found.target_opt)
    ]
    missing = found.search.slice.n_missing + found.target.slice.n_missing
    n_seeds = found.target.n_seeds
    worst = "none" if shown is None or shown.lower is None else f"{shown.lower:.4g}"
    return (
        Condition(
            name="a",
            holds=r is not None and tolerance is not None and r.upper < tolerance,
            text=f"upper bound of the regret {upper}{level}, tolerance {limit} (loss)",
        ),
        Condition(
            name="b",
            holds=found.search_opt.bracketed and found.target_opt.bracketed,
            text="optimum bracketed at " + "; ".join(brackets),
        ),
        Condition(
            name="c",
            holds=shown is not None and shown.sensitive,
            text="a value diverged"
            if shown is not None and shown.by_divergence
            else f"largest excess shown with 95 % confidence {worst}, tolerance {limit} (loss)",
        ),
        Condition(
            name="d",
            holds=gap is None or gap >= OCTAVES_TO_DIVERGENCE - 1e-4,
            text="no value diverged at the target"
            if gap is None
            else f"{gap:.2f} octaves to the nearest diverged value at the target",
        ),
        Condition(
            name="e",
            holds=missing == 0
            and n_seeds >= MIN_TARGET_SEEDS
            and found.target_opt.n_values >= MIN_TARGET_VALUES
            and found.at_target is not None,
            text=f"{n_seeds} target seeds, {found.target_opt.n_values} values, "
            f"{missing} runs missing"
            + ("" if found.at_target is not None else ", the transferred value was not run"),
        ),
    )
