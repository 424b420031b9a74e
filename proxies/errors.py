"""Faults of a configuration or of data, as data and as errors."""

from collections.abc import Sequence
from typing import Any, NamedTuple


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


class DataError(ConfigError):
    """Data that no trial can be fed with; `faults` holds all that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Take at least one fault."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def some(examples: Sequence[str], n: int = 3) -> str:
    """Return the first few examples as one text, and how many more there are."""
    more = f" and {len(examples) - n} more" if len(examples) > n else ""
    return ", ".join(examples[:n]) + more
