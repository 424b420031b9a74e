"""The words of figures, tables and report: HPs and arms. Those of the axis: `analysis.axis`."""

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
LONGEST = 30  # characters of a name in a figure
ARM_LABELS: Mapping[str, str] = {
    "mup": "μP",
    "sp": "SP (control)",
    "unscaled": "no scaling rule (control)",
}


def arm_label(arm: str, rule: str | None = None) -> str:
    """Return what an arm is called; μP names the rule that scales base HPs, where there is one."""
    return f"μP, rule {rule}" if arm == "mup" and rule else ARM_LABELS[arm]


SHORT_ARMS: Mapping[str, str] = {"mup": "μP", "sp": "SP", "unscaled": "no rule"}
PER_STEP = "octaves/doubling"  # of the drift


def hp_label(hp: str) -> str:
    """Return what an HP is called on an axis."""
    return short(HP_LABELS.get(hp, hp))


def short(name: str) -> str:
    """Return a name as long as an axis has room for."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def power_of_two(log2_x: float) -> str:
    """Return 2 to the power of a number with the exponent raised: 2⁻⁸, 2⁻⁷·⁵."""
    raised = str.maketrans("-0123456789.", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·")
    return "2" + f"{round(log2_x, 2) + 0.0:g}".translate(raised)
