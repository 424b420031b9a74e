"""Files of results: how a .csv is written, and where the user finds a row of it."""

import csv
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from mutransfer.analysis.table.arguments import listed, shown
from mutransfer.analysis.table.table import TableError

SEPARATORS = (",", ";", "\t", "|")
# Of a .csv, to see how it is written: some hundred rows.
HEAD_BYTES = 2**16

_COMMA_DECIMAL = re.compile(r"[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?")
_POINT_DECIMAL = re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?")

Place = Callable[[int], str]  # where the user finds a row, by its position from 0


def read_file(path: Path, *, sep: str | None = None, decimal: str | None = None) -> pd.DataFrame:
    """Return the content of a .csv (UTF-8, with or without BOM) or .parquet file.

    Args:
        path: The file.
        sep: Character between the cells of a .csv; None: the one of `SEPARATORS` that gives the
            first line most cells.
        decimal: Decimal mark of a .csv, ``.`` or ``,``; None: the comma where some cells have a
            decimal comma and none a decimal point.

    Raises:
        TableError: no such file, another encoding, a column name twice, or not a table.
    """
    try:
        if path.is_file():
            return _read_csv(path, sep, decimal) if _is_csv(path) else pd.read_parquet(path)
    except TableError:
        raise
    except UnicodeDecodeError:
        raise TableError(f"{path}: text in UTF-8; got another encoding; save it as UTF-8") from None
    except pd.errors.ParserWarning:
        rule = "as many cells in a row as in the first line"
        raise TableError(f"{path}: {rule}; got more; correct it, or give sep") from None
    except (ValueError, OSError, csv.Error, pa.ArrowException) as error:
        reason = "".join(c if c.isprintable() else " " for c in str(error)).strip()
        raise TableError(f"{path}: cannot be read: {reason}; write it again") from None
    got = "a folder" if path.is_dir() else "nothing there"
    raise TableError(f"{path}: a .csv or .parquet file; got {got}; check the path")


def place_in(source: pd.DataFrame | str | Path, raw: pd.DataFrame) -> Place:
    """Return where the user finds a row: an index label, a line of a CSV, a row of a Parquet."""
    if isinstance(source, pd.DataFrame):
        return lambda i: f"the row with index {shown(raw.index[i])}"
    path = Path(source)
    return lambda i: (_is_csv(path) and _line(path, i, len(raw))) or f"row {i + 1}"


def _is_csv(path: Path) -> bool:
    return path.name.lower().endswith(".csv")


def _read_csv(path: Path, sep: str | None, decimal: str | None) -> pd.DataFrame:
    with path.open("rb") as file:
        head = _head_lines(file.read(HEAD_BYTES))
    separator = sep or max(SEPARATORS, key=lambda s: len(_cells(head[:1], s)))
    names = [name.strip() for name in _cells(head[:1], separator)]
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise TableError(f"{path}: each column once; got {listed(twice)} several times; keep one")
    with warnings.catch_warnings():
        # Cells beyond the last column: pandas would drop them with a warning.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        df: pd.DataFrame = pd.read_csv(
            path,
            sep=separator,
            decimal=decimal or _decimal(_cells(head[1:], separator)),
            encoding="utf-8-sig",
            skipinitialspace=True,
            index_col=False,
            low_memory=False,
        )
    return df.rename(columns=str.strip)


def _head_lines(head: bytes) -> list[str]:
    """The lines at the start of a file that are not empty, the last one perhaps cut off."""
    if b"\0" in head:  # UTF-16, or no text
        raise UnicodeDecodeError("utf-8", head, 0, 1, "a zero byte")
    # The last character may be cut off; pandas finds another encoding in the rest of the file.
    cut = len(head) == HEAD_BYTES
    text = head.decode("utf-8-sig", errors="ignore" if cut else "strict")
    return [line for line in text.splitlines() if line.strip()]


def _cells(lines: list[str], sep: str) -> list[str]:
    return [cell.strip() for row in csv.reader(lines, delimiter=sep) for cell in row]


def _decimal(cells: list[str]) -> str:
    has_commas = any(_COMMA_DECIMAL.fullmatch(cell) for cell in cells)
    has_points = any(_POINT_DECIMAL.fullmatch(cell) for cell in cells)
    return "," if has_commas and not has_points else "."


def _line(path: Path, position: int, n_rows: int) -> str:
    """The line of a row in a CSV; empty where rows are not lines (line breaks in cells)."""
    lines = [i for i, line in enumerate(path.read_bytes().splitlines(), 1) if line.strip()]
    return f"line {lines[position + 1]}" if len(lines) == n_rows + 1 else ""
