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
}
ARM_LABELS: Mapping[str, str] = {
    "mup": "μP",
    "sp": "SP (control)",
    "unscaled": "no scaling rule (control)",
}
SHORT_ARMS: Mapping[str, str] = {"mup": "μP", "sp": "SP", "unscaled": "no rule"}
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
