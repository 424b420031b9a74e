"""Labels of HPs and arms in figures, tables and the report; labels of axes: `table.axis`."""

from collections.abc import Mapping

HP_LABELS: Mapping[str, str] = {
    "lr": "learning rate (base)",
    "init_std": "init std multiplier",
    "init_std_hidden": "hidden init std multiplier",
    "init_std_input": "input init std multiplier",
    "init_std_vector": "vector init std multiplier",
    "output_mult": "output multiplier α",
    "weight_decay": "weight decay (base)",
    "warmup_steps": "warmup steps",
    "grad_clip": "gradient clip norm",
    "repa_weight": "weight of REPA's alignment",
    "adamw_lr": "learning rate of AdamW's part",
}
ARM_LABELS: Mapping[str, str] = {
    "mup": "μP",
    "sp": "SP (control)",
    "unscaled": "no scaling rule (control)",
}
SHORT_ARMS: Mapping[str, str] = {"mup": "μP", "sp": "SP", "unscaled": "no rule"}
# The flags of an optimum (`fit.optimum`), explained; the order is that of the report.
FLAG_TEXTS: Mapping[str, str] = {
    "no_data": "no run has a loss to read.",
    "censored_left": "the best value is the lowest that was run, or the curve rises from there on.",
    "censored_right": "the best value is the highest that was run, or the curve falls up to there.",
    "open_left": "the noise leaves the lower end of the interval open.",
    "open_right": "the noise leaves the upper end of the interval open.",
    "edge_of_stability": "the optimum may lie right below a value that diverged or collapsed.",
    "collapsed": "runs ended, finite, far above the curve (stuck, or a late spike); their value is "
    "a wall, as a diverged one is, and no curve is fitted to it.",
    "one_seed": "there is one run a value: the noise is the scatter about the curve, and what "
    "differs from seed to seed is not seen.",
    "too_few_values": "too few values lie on the curve to fit one.",
    "no_minimum": "the curve has no lowest point between the outermost values.",
    "flat": "no difference between the values is shown.",
    "misfit": "no curve of the library fits well: intervals are wider for it, and there is no FAIL "
    "by the regret.",
    "missing_cells": "some values lack a run of some seed.",
}
DRIFT_UNIT = "octaves/doubling"
MAX_NAME_CHARS = 30  # longer names do not fit beside an axis of a figure


def hp_label(hp: str) -> str:
    """Return the label of an HP, cut to the length that fits a figure."""
    return truncated(HP_LABELS.get(hp, hp))


def truncated(name: str) -> str:
    """Return a name cut to `MAX_NAME_CHARS` characters."""
    return name if len(name) <= MAX_NAME_CHARS else name[: MAX_NAME_CHARS - 1] + "…"


def arm_label(arm: str, rule: str | None = None) -> str:
    """Return the label of an arm; that of μP includes the rule that scales base HPs, if any."""
    return f"μP, rule {rule}" if arm == "mup" and rule else ARM_LABELS[arm]


def power_of_two(log2_x: float) -> str:
    """Return 2 to the power of a number with a raised exponent: 2⁻⁸, 2⁻⁷·⁵."""
    superscript = str.maketrans("-0123456789.", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·")
    return "2" + f"{round(log2_x, 2) + 0.0:g}".translate(superscript)


def interval_text(log2_x: float, log2_low: float | None, log2_high: float | None) -> str:
    """Return a log2 value with its 95 % interval in powers of two; an end of None is open."""
    low, high = ("open" if end is None else power_of_two(end) for end in (log2_low, log2_high))
    return f"{power_of_two(log2_x)} (95 %: {low} … {high})"
