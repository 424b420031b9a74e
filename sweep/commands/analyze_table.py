"""`mutransfer analyze TABLE.csv`: the options of the command for `judge_table` and `report`."""

import math
from pathlib import Path
from typing import get_args

from mutransfer.analysis.table.arguments import is_table_file
from mutransfer.analysis.table.axis import count_of
from mutransfer.analysis.verdict.external import TableResult, judge_table
from mutransfer.analysis.verdict.question import Tolerance, ToleranceKind
from mutransfer.sweep.errors import UserError
from mutransfer.words import AXES

TOLERANCE = "rel_loss=0.005"


def is_table(name: str) -> bool:
    """Whether an argument names a table rather than a study or a run directory.

    A file with another suffix is taken for a table too, which `judge_table` refuses.
    """
    path = Path(name)
    return not path.is_dir() and (is_table_file(name) or (bool(path.suffix) and path.is_file()))


def judge(
    path: Path,
    *,
    columns: str = "",
    tolerance: str = TOLERANCE,
    search_at: str = "",
    target_at: str = "",
    default: str = "",
    axis: str = "width",
    goal: str = "minimize",
    sep: str = "",
    decimal: str = "",
) -> TableResult:
    """The verdict on a table, from the options as they were typed.

    Raises:
        UserError: an option that cannot be read.
        TableError: as `judge_table`.
    """
    if axis not in AXES:
        raise UserError(f"--axis: one of {', '.join(AXES)}; got {axis!r}; pick one")
    return judge_table(
        path,
        columns=_pairs("--columns", columns),
        axis=axis,
        search_at=_axis_value("--search-at", search_at),
        target_at=_axis_value("--target-at", target_at),
        tolerance=_tolerance(tolerance),
        defaults={hp: _number("--default", v) for hp, v in _pairs("--default", default).items()},
        goal=goal,
        sep={"tab": "\t", r"\t": "\t"}.get(sep, sep) or None,
        decimal=decimal or None,
    )


def write(result: TableResult, folder: Path) -> Path:
    """Write plots/, verdict.json and report.html into a folder; the path of the report.

    Raises:
        UserError: the folder cannot be written.
    """
    from mutransfer.analysis.reporting.files import report  # matplotlib takes a second

    try:
        return report(result, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}; choose another") from None


def _pairs(option: str, text: str) -> dict[str, str]:
    pairs = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise UserError(
                f"{option}: pairs like name=value, with commas; got {pair!r}; correct it"
            )
        pairs[name.strip()] = value.strip()
    return pairs


def _axis_value(option: str, text: str) -> int | None:
    """A whole number, or a count with a unit: 256, 124M."""
    number = int(text) if text.isdecimal() and len(text) < 20 else count_of(text)
    if text and number is None:
        rule = "a value of the axis, a whole number like 256 or 124M"
        raise UserError(f"{option}: {rule}; got {text!r}; correct it")
    return number


def _number(option: str, text: str) -> float:
    base, power, exponent = text.partition("^")
    try:
        number = float(base) ** float(exponent) if power else float(base)
    except (ValueError, ArithmeticError):  # 10^400, 0^-1
        number = math.nan
    if isinstance(number, complex) or not math.isfinite(number):  # (-2)^0.5 is complex
        raise UserError(f"{option}: a finite number (2^-8, 3e-4); got {text!r}; correct it")
    return number


def _tolerance(text: str) -> Tolerance:
    kinds = get_args(ToleranceKind)
    pairs = _pairs("--tolerance", text)
    if len(pairs) != 1 or next(iter(pairs)) not in kinds:
        raise UserError(
            f"--tolerance: one of {', '.join(kinds)} = a number; got {text!r}; correct it"
        )
    ((kind, value),) = pairs.items()
    number = _number("--tolerance", value)
    try:
        return Tolerance(kind=kind, value=number)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"--tolerance: {error}") from None
