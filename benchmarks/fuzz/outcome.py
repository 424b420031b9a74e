"""What becomes of a generated input: an answer, one message to the user, or a bug."""

import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mutransfer.analysis.table.table import TableError
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.sweep.errors import RunError, UserError

MESSAGES = (UserError, TableError, ConfigError, PlanError, RunError)  # as the command line has it
LIMIT_S = 120  # more is a hang


class Hang(BaseException):
    """An input was not done within `LIMIT_S`."""


@dataclass
class Tally:
    """What became of the inputs so far: how many had which outcome, and each bug with its input."""

    outcomes: Counter[str] = field(default_factory=Counter)
    bugs: list[str] = field(default_factory=list)

    def add(self, name: str, act: Callable[[], Any]) -> Any:
        """Run one input; its result, or None where it ended in a message or a bug."""
        try:
            with _limited():
                result = act()
        except MESSAGES as error:
            self.outcomes["message"] += 1
            if not str(error).strip():
                self.bugs.append(f"{name}: an empty message")
            return None
        except (Exception, Hang) as error:
            self.outcomes["bug"] += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
            self.bugs.append(f"{name}: {type(error).__name__}: {str(error)[:200]} ({place})")
            return None
        self.outcomes["answer"] += 1
        return result

    def wrong(self, name: str, text: str) -> None:
        """Note a wrong answer."""
        self.outcomes["wrong"] += 1
        self.bugs.append(f"{name}: {text}")


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang(f"not done after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
