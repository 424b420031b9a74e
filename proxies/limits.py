"""What the configurations share: constraints of fields, and faults as data."""

from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Gt, Le, Lt

Count = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
# Zero is left out: a decay over, or a horizon of, no steps has no meaning.
Fraction = Annotated[float, Gt(0), Le(1)]
Beta = Annotated[float, Ge(0), Lt(1)]

# How pydantic reads a configuration that a spec embeds.
STRICT: dict[str, Any] = {"extra": "forbid", "allow_inf_nan": False}


class ConfigError(ValueError):
    """A configuration that no trial can be made of; the text says where, the rule, and a remedy."""


class Fault(NamedTuple):
    """One broken rule: where it is in the configuration, the rule, what was found, what to do."""

    path: tuple[str, ...]
    rule: str
    got: Any
    remedy: str

    def __str__(self) -> str:
        """Return the fault as one sentence."""
        return f"{'.'.join(self.path)}: {self.rule}; got {self.got}; {self.remedy}"
