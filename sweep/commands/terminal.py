"""What the command line prints: tables for people, JSON for scripts, errors as one message."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from mutransfer.analysis.table.table import TableError
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.sweep.errors import RunError, Stopped, UserError

EXIT_FAILED, EXIT_USER, EXIT_NOT_PASS = 1, 2, 3
NAME_CHARS = 24  # a name of up to so many characters in the first column stays whole


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of texts; numbers stand on the right."""
    found = [list(row) for row in rows]
    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) or _is_number(row[i]) for row in found)
        whole = i == 0 and all(len(str(row[0])) <= NAME_CHARS for row in found)
        shown.add_column(column, justify="right" if numeric and found else "left", no_wrap=whole)
    for row in found:
        shown.add_row(*("–" if cell is None else str(cell) for cell in row))
    return shown


def _is_number(cell: object) -> bool:
    text = str(cell).strip().rstrip("%").replace(",", "")
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_json(data: Any) -> None:
    """Print data as JSON on stdout."""
    sys.stdout.write(json.dumps(data, indent=1, default=str) + "\n")


def flops(number: float) -> str:
    """FLOPs with a prefix: 3.2 TFLOP."""
    for prefix, scale in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if number >= scale:
            return f"{number / scale:.3g} {prefix}FLOP"
    return f"{number:.3g} FLOP"


def guarded(run: Callable[[], Any], console: Console, *, debug: bool) -> NoReturn:
    """Run the command and leave with its exit code; errors are one message, never a traceback."""
    try:
        run()
    except (UserError, TableError, ConfigError, PlanError) as error:
        _leave(console, str(error), EXIT_USER, error, debug)
    except RunError as error:
        _leave(console, str(error), EXIT_FAILED, error, debug)
    except Stopped as stop:
        _leave(console, "stopped", 128 + stop.signal_number, stop, debug=False)
    except KeyboardInterrupt as error:
        _leave(console, "stopped", 130, error, debug=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        remedy = "this is a fault of mutransfer; --debug shows where it comes from"
        _leave(console, f"{text}\n{remedy}", EXIT_FAILED, error, debug)
    sys.exit(0)


def _leave(console: Console, text: str, code: int, error: BaseException, debug: bool) -> NoReturn:
    if debug:
        raise error
    console.print(f"mutransfer: {text}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
