"""Faults of a configuration or of data, as records and as exceptions."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class ConfigError(ValueError):
    """A configuration that no trial can run with; the text gives path, rule and remedy."""


class Fault(NamedTuple):
    """One broken rule: path in the configuration, rule, offending value, and what to do."""

    path: tuple[str | int, ...]
    rule: str
    got: Any
    remedy: str

    def __str__(self) -> str:
        """Return the fault as one sentence."""
        return f"{'.'.join(map(str, self.path))}: {self.rule}; got {self.got}; {self.remedy}"


class DataError(ConfigError):
    """Data that no trial can train on; `faults` holds all faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Take at least one fault."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def first_few(examples: Sequence[str], n: int = 3) -> str:
    """Return the first n examples, joined by commas, and how many more there are."""
    more = f" and {len(examples) - n} more" if len(examples) > n else ""
    return ", ".join(examples[:n]) + more
