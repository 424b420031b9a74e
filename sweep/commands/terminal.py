"""Output of the command line: tables, JSON for scripts, errors as one message and exit code."""

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
NAME_CHARS = 24  # names in the first column up to this length are not wrapped


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table for the terminal; columns of numbers are aligned to the right."""
    cells = [list(row) for row in rows]
    result = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) or _is_number(row[i]) for row in cells)
        no_wrap = i == 0 and all(len(str(row[0])) <= NAME_CHARS for row in cells)
        result.add_column(column, justify="right" if numeric and cells else "left", no_wrap=no_wrap)
    for row in cells:
        result.add_row(*("–" if cell is None else str(cell) for cell in row))
    return result


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


def guarded(run: Callable[[], Any], console: Console, *, debug: bool) -> NoReturn:
    """Run the command and exit with its code; an error is one message, without a traceback."""
    try:
        run()
    except (UserError, TableError, ConfigError, PlanError) as error:
        _leave(console, str(error), EXIT_USER, error, debug)
    except RunError as error:
        _leave(console, str(error), EXIT_FAILED, error, debug)
    except Stopped as stop:
        _leave(console, str(stop), 128 + stop.signal_number, stop, debug=False)
    except KeyboardInterrupt as error:
        _leave(console, "stopped", 130, error, debug=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except MemoryError as error:
        text = "not enough memory on this machine; lower widths, batch sizes or other counts"
        _leave(console, text, EXIT_FAILED, error, debug)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}; correct this on the machine, and repeat"
        _leave(console, text, EXIT_FAILED, error, debug)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        remedy = "this is a bug in mutransfer; --debug shows the traceback"
        _leave(console, f"{text}\n{remedy}", EXIT_FAILED, error, debug)
    sys.exit(0)


def _leave(console: Console, text: str, code: int, error: BaseException, debug: bool) -> NoReturn:
    if debug:
        raise error
    console.print(f"mutransfer: {text}", soft_wrap=True)
    sys.exit(code)
