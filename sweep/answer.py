"""What `mutransfer analyze` prints: the answer, a short table, and the curves as text."""

import webbrowser
from collections.abc import Iterable
from pathlib import Path

from analysis import answer, convergence_rows, rows
from analysis.material import Material
from analysis.rows import TextTable
from analysis.textplot import curve_lines
from sweep import terminal
from sweep.options import err, out, say


def tell(found: Material, notes: Iterable[str], *, tables: bool) -> None:
    """Print the answer of a study, last what a person looks for first.

    Args:
        found: The study.
        notes: Lines to end with.
        tables: Print all tables of the report, not only the short one.
    """
    verdict = found.verdict
    if verdict is not None:
        shown = rows.text_summary(verdict) if tables else _short(found)
        for table in shown:
            _print(table)
    for info in found.data.curves:
        for line in (*curve_lines(info), ""):
            say(line)
    if found.is_under_way and found.progress:
        say(found.progress.sentence)
    out.print(answer.sentence(found), style="bold", highlight=False, soft_wrap=True, markup=False)
    if found.convergence is not None:
        for line in convergence_rows.told(found.convergence).sentences:
            say(line)
    for note in notes:
        say(note)


def _short(found: Material) -> list[TextTable]:
    verdict = found.verdict
    if verdict is None:
        return []
    return [
        rows.causes_table(verdict),
        rows.settle_table(verdict),
        answer.answer_table(verdict),
    ]


def _print(table: TextTable) -> None:
    if table.rows:
        out.print(terminal.table(table.title, table.columns, table.rows), soft_wrap=True)
        out.print()


def show(path: str) -> None:
    """Open the report in the browser; a line on stderr where there is none."""
    local = Path(path)
    try:
        opened = local.exists() and webbrowser.open(local.resolve().as_uri())
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        err.print(f"no browser could be opened; the report is {path}", markup=False, soft_wrap=True)
