"""What a look at data found."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a look at data found, as sentences; what no trial can train on is a DataError instead.

    Attributes:
        lines: What the data hold.
        warnings: What may not be meant.
    """

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
