"""The search space: distributions under W&B's names, and the rounding of HP values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mutransfer.proxies.errors import Fault
from mutransfer.sweep.spec import wandb
from mutransfer.words import HPName, round_hp

INTEGER_HPS: frozenset[HPName] = frozenset({"warmup_steps"})
POSITIVE_HPS: frozenset[HPName] = frozenset(
    (
        "lr",
        "init_std",
        "init_std_hidden",
        "init_std_input",
        "init_std_vector",
        "output_mult",
        "grad_clip",
        "adamw_lr",
    )
)
NO_CLIP = 1e9  # a norm of the gradient that no run reaches before it has diverged
MAX_EXPONENT = 200  # of 2, in the short form `log2: [low, high]`


def rounded(name: str, value: float) -> float:
    """The value as it enters a trial's identity: by `round_hp`; whole for an integer HP."""
    return float(round(value)) if name in INTEGER_HPS else round_hp(value)


@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """log2(value) is uniform in [log2(min), log2(max)]; W&B's `log_uniform_values`."""

    min: float
    max: float
    hard_min: float | None = None
    hard_max: float | None = None

    @property
    def middle(self) -> float:
        """The geometric middle of the range."""
        return math.sqrt(self.min * self.max)


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """The value is uniform in [min, max]."""

    min: float
    max: float

    @property
    def middle(self) -> float:
        """The arithmetic middle of the range."""
        return (self.min + self.max) / 2


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """One of ``values``, all equally likely."""

    values: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The middle entry of the list."""
        return self.values[len(self.values) // 2]


@dataclass(frozen=True, kw_only=True)
class Constant:
    """Held fixed at ``value``."""

    value: float

    @property
    def middle(self) -> float:
        """The value itself."""
        return self.value


Distribution = LogUniform | Uniform | Categorical | Constant
KINDS: dict[str, type] = {
    "log_uniform_values": LogUniform,
    "uniform": Uniform,
    "categorical": Categorical,
    "constant": Constant,
}
KEYS: dict[type, tuple[set[str], set[str]]] = {  # required, optional
    LogUniform: ({"min", "max"}, {"hard_min", "hard_max"}),
    Uniform: ({"min", "max"}, set()),
    Categorical: ({"values"}, set()),
    Constant: ({"value"}, set()),
}


def kind_of(distribution: Distribution) -> str:
    """The name of a distribution's class in a spec."""
    return next(name for name, kind in KINDS.items() if isinstance(distribution, kind))


def read(name: str, entry: Any) -> tuple[Distribution | None, list[Fault]]:
    """The distribution that one entry of `parameters:` describes, or its faults.

    Args:
        name: The HP.
        entry: The parsed value under that key; in a valid spec a mapping.

    Returns:
        The distribution, None where there are faults; the faults, with paths inside the entry.
    """
    if not isinstance(entry, dict):
        example = "{distribution: log_uniform_values, min: 2^-12, max: 2^-3} or {value: 2^-8}"
        return None, [Fault((), "an HP's entry is a mapping", entry, f"write {example}")]
    entry, fault = wandb.in_our_words(entry, is_integer=name in INTEGER_HPS)
    if fault is not None:
        return None, [fault]
    entry, kind, faults = _kind(entry)
    if kind is None:
        return None, faults
    required, optional = KEYS[kind]
    for key in sorted(set(entry) - required - optional - {"distribution"}, key=str):
        keys = ", ".join(sorted(required | optional))
        faults.append(Fault((str(key),), "a known key", str(key), f"known here: {keys}"))
    for key in sorted(required - set(entry)):
        faults.append(Fault((), f"`{key}` is given", "nothing", f"add `{key}: …`"))
    faults += _number_faults(name, {k: entry[k] for k in (required | optional) & set(entry)})
    if faults:
        return None, faults
    values = {k: _floats(entry[k]) for k in (required | optional) & set(entry)}
    faults = _range_faults(name, kind, values)
    return (None, faults) if faults else (kind(**values), [])


def _kind(entry: dict[str, Any]) -> tuple[dict[str, Any], type | None, list[Fault]]:
    """The entry in long form and its class; `log2: [a, b]`, `value:`, `values:` are short forms."""
    named = entry.get("distribution")
    if named is None and "log2" in entry:
        bounds = entry["log2"]
        if not (isinstance(bounds, list) and len(bounds) == 2 and all(map(_is_number, bounds))):
            rule, remedy = "log2 is a pair of exponents", "write e.g. `log2: [-13, -5]`"
            return entry, None, [Fault(("log2",), rule, bounds, remedy)]
        if any(abs(bound) > MAX_EXPONENT for bound in bounds):
            rule = f"|exponent| <= {MAX_EXPONENT}"
            remedy = "write exponents of 2, e.g. `log2: [-13, -5]`"
            return entry, None, [Fault(("log2",), rule, bounds, remedy)]
        others = {key: value for key, value in entry.items() if key != "log2"}
        return {"min": 2.0 ** bounds[0], "max": 2.0 ** bounds[1], **others}, LogUniform, []
    if named is None:
        for short, kind in (("value", Constant), ("values", Categorical)):
            if short in entry:
                return entry, kind, []
    if isinstance(named, str) and named in KINDS:
        return entry, KINDS[named], []
    rule = f"distribution is one of {', '.join(KINDS)}"
    remedy = "or use `log2: [-13, -5]`, `value: …`, `values: […]`"
    if named == "log_uniform":
        remedy = "in W&B, min and max of `log_uniform` are exponents; write `log_uniform_values`"
    path = () if named is None else ("distribution",)
    return entry, None, [Fault(path, rule, named or "no distribution", remedy)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _floats(value: Any) -> Any:
    return tuple(float(item) for item in value) if isinstance(value, list) else float(value)


def _number_faults(name: str, entry: dict[str, Any]) -> list[Fault]:
    faults = []
    for key, value in entry.items():
        items = value if key == "values" else [value]
        if key == "values" and not (isinstance(value, list) and value):
            faults.append(Fault((key,), "a list of numbers, not empty", value, "list the values"))
        elif None in items:
            faults.append(Fault((key,), "a finite number", value, _instead_of_none(name, items)))
        elif not all(_is_number(item) for item in items):
            remedy = "write it as 0.001, 1e-3 or 2^-10, without quotes"
            faults.append(Fault((key,), "a finite number", value, remedy))
        elif any(item < 0 or (item == 0 and name in POSITIVE_HPS) for item in items):
            rule = f"{name} is {'greater than 0' if name in POSITIVE_HPS else 'not negative'}"
            faults.append(Fault((key,), rule, value, "correct the sign"))
        elif len({rounded(name, item) for item in items}) < len(items):
            rule = "each value once (values that differ beyond six digits are one)"
            faults.append(Fault((key,), rule, value, "remove the repeated ones"))
    return faults


def _instead_of_none(name: str, items: Sequence[Any]) -> str:
    """What to write where `null` stands for an HP that is switched off."""
    if name != "grad_clip":
        return "remove null: write the value that switches it off, such as 0"
    if len(items) == 1:
        return f"no clipping: remove `{name}`"
    values = [NO_CLIP if item is None else item for item in items]
    return f"no clipping is a limit that no gradient reaches: write `values: {values}`"


def _range_faults(name: str, kind: type, values: dict[str, Any]) -> list[Fault]:
    if kind is LogUniform and values["min"] <= 0:
        return [Fault(("min",), "a log range starts above 0", values["min"], "raise `min`")]
    if kind in (LogUniform, Uniform) and not values["min"] < values["max"]:
        got = f"min {values['min']:g}, max {values['max']:g}"
        return [Fault(("max",), "min < max (the range is empty)", got, "swap or widen them")]
    faults = []
    if values.get("hard_min", 0) > values.get("min", math.inf):
        rule = "hard_min <= min (the search stays within the hard limits)"
        faults.append(Fault(("hard_min",), rule, values["hard_min"], "lower `hard_min`"))
    if values.get("hard_max", math.inf) < values.get("max", 0):
        rule = "hard_max >= max (the search stays within the hard limits)"
        faults.append(Fault(("hard_max",), rule, values["hard_max"], "raise `hard_max`"))
    if name in INTEGER_HPS:
        given = [*values.get("values", ()), *(v for k, v in values.items() if k != "values")]
        if any(item != round(item) for item in given):
            faults.append(Fault((), f"{name} is a whole number", given, "round it"))
    return faults


def grid_points(parameters: Mapping[str, Distribution], trials: int) -> int:
    """Values per range such that the full grid has at most ``trials`` points.

    ``trials`` itself where no HP has a range.
    """
    ranges = [d for d in parameters.values() if isinstance(d, LogUniform | Uniform)]
    n_lists = math.prod(len(d.values) for d in parameters.values() if isinstance(d, Categorical))
    if not ranges:
        return trials
    return int((trials / n_lists) ** (1 / len(ranges)) + 1e-9)


def at_fraction(distribution: Distribution, fraction: float) -> float:
    """The value at ``fraction`` of the distribution (its quantile function), 0 to 1."""
    if isinstance(distribution, LogUniform):
        low, high = math.log2(distribution.min), math.log2(distribution.max)
        return float(2.0 ** (low + fraction * (high - low)))
    if isinstance(distribution, Uniform):
        return distribution.min + fraction * (distribution.max - distribution.min)
    if isinstance(distribution, Categorical):
        n_values = len(distribution.values)
        return distribution.values[min(int(fraction * n_values), n_values - 1)]
    return distribution.value


def n_points(parameters: Mapping[str, Distribution]) -> int | None:
    """How many different points a space has; None where it is not discrete."""
    counts = []
    for name, distribution in parameters.items():
        if isinstance(distribution, Categorical):
            counts.append(len(distribution.values))
        elif isinstance(distribution, LogUniform | Uniform):
            if name not in INTEGER_HPS:
                return None
            counts.append(int(distribution.max) - int(distribution.min) + 1)
    return math.prod(counts)


def fraction_of(distribution: Distribution, value: float) -> float:
    """The fraction of the distribution below ``value``, 0 to 1: the inverse of ``at_fraction``."""
    if isinstance(distribution, LogUniform):
        return math.log2(value / distribution.min) / math.log2(distribution.max / distribution.min)
    if isinstance(distribution, Uniform):
        return (value - distribution.min) / (distribution.max - distribution.min)
    if isinstance(distribution, Categorical):
        return distribution.values.index(value) / len(distribution.values)
    return 0.0
