"""The command `analyze`: the answer of a study, or of a table from elsewhere."""

import webbrowser
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from mutransfer.analysis.figures.text import curve_lines
from mutransfer.analysis.reporting import answer, convergence
from mutransfer.analysis.reporting import tables as rows
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.text_table import TextTable
from mutransfer.sweep.commands import analyze_table, terminal
from mutransfer.sweep.commands.options import (
    RUNS,
    SPEC,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    err,
    out,
    say,
)
from mutransfer.sweep.store import rundir


def analyze(
    study: Annotated[
        str, typer.Argument(help="A study, a run directory, or a table: results.csv, .parquet.")
    ],
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    columns: Annotated[
        str, typer.Option(help="Table: its names for ours, learning_rate=hp.lr,loss=val_loss.")
    ] = "",
    tolerance: Annotated[
        str, typer.Option(help="Table: rel_loss=…, abs_loss=… or share_of_width_gain=….")
    ] = analyze_table.TOLERANCE,
    axis: Annotated[
        str, typer.Option(help="Table: along width, batch_size, steps or depth.")
    ] = "width",
    search_at: Annotated[
        int | None,
        typer.Option("--search-width", "--search-at", help="Table: narrowest if none."),
    ] = None,
    target_at: Annotated[
        int | None, typer.Option("--target-width", "--target-at", help="Table: widest if none.")
    ] = None,
    default: Annotated[str, typer.Option(help="Table: untuned values, lr=1e-3.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Table: folder for report and plots.")
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="Print all tables that the report holds.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the report in the browser.")] = False,
    json_: JsonOpt = False,
) -> None:
    """Judge the transfer: verdict.json, plots/ and report.html. Exit code 3: it is not PASS.

    While the study runs it tells what there is so far, with exit code 3.

    [dim]mutransfer analyze digits-dit · mutransfer analyze runs.csv --columns loss=val_loss[/dim]
    """
    from mutransfer.sweep.results import analyze as room  # matplotlib and scipy take a second

    if analyze_table.is_table(study):
        found = analyze_table.analyze(
            Path(study),
            columns=columns,
            tolerance=tolerance,
            search_at=search_at,
            target_at=target_at,
            default=default,
            axis=axis,
        )
        paths = analyze_table.write(found, output) if output else []
        unsaid = analyze_table.cannot_say(found.question) if found.question else []
    else:
        found_study, store = rundir.find_run(study, spec_path, runs)
        found = room.material(found_study, store)
        paths, unsaid = room.write(found, store), []
    if json_:
        terminal.as_json(room.as_dict(found))
    else:
        tell(found, [*unsaid, *(f"report: {path}" for path in paths[-1:])], tables=tables)
    if open_ and paths:
        show(paths[-1])
    if found.is_under_way or found.verdict is None or found.verdict.verdict != "PASS":
        raise typer.Exit(terminal.EXIT_NOT_PASS)


def tell(found: ReportInputs, notes: Iterable[str], *, tables: bool) -> None:
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
        for line in convergence.told(found.convergence).sentences:
            say(line)
    for note in notes:
        say(note)


def _short(found: ReportInputs) -> list[TextTable]:
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
