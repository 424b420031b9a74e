"""Errors that end a command: faults of the user's input, all shown together, never a traceback."""

from collections.abc import Sequence
from dataclasses import dataclass


class UserError(ValueError):
    """The user's input is wrong: the command line ends with exit code 2 and this message."""


class RunError(RuntimeError):
    """The study cannot go on: the command line ends with exit code 1 and this message."""


class Stopped(BaseException):
    """Ctrl-C or SIGTERM asked the run to stop; the text is the command line's last.

    A ``BaseException``: Ray Tune catches ``Exception`` and would then wait for blocked trials.
    """

    def __init__(self, signal_number: int, text: str = "stopped") -> None:
        super().__init__(text)
        self.signal_number = signal_number


@dataclass(frozen=True, kw_only=True)
class SpecFault:
    """One fault of a spec: its position and YAML path, the rule, what was found, what to do."""

    file: str
    line: int | None
    column: int | None
    path: str
    rule: str
    got: str
    remedy: str

    def __str__(self) -> str:
        position = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        lines = [f"{position}: {self.path}" if self.path else position, f"    rule:  {self.rule}"]
        lines += [f"    found: {self.got}"] if self.got else []
        lines += [f"    do:    {self.remedy}"] if self.remedy else []
        return "\n".join(lines)


class SpecError(UserError):
    """A spec file has faults; ``faults`` holds all of them, in the order of the file."""

    def __init__(self, faults: Sequence[SpecFault]) -> None:
        ordered = sorted(faults, key=lambda f: (f.file, f.line or 0, f.column or 0))
        self.faults = tuple(ordered)
        count = "1 fault" if len(ordered) == 1 else f"{len(ordered)} faults"
        super().__init__(f"{count} in {ordered[0].file}\n" + "\n".join(str(f) for f in ordered))
