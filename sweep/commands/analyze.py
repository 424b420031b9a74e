"""The command `analyze`: the verdict on a study, or on a table that was measured elsewhere."""

import webbrowser
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from mutransfer.analysis.figures.text import curve_lines
from mutransfer.analysis.reporting import answer, convergence
from mutransfer.analysis.reporting.collapsed import collapsed_sentences, collapsed_table
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.tables import causes_table, settle_table, terminal_tables
from mutransfer.analysis.text_table import TextTable
from mutransfer.sweep.commands import analyze_table, terminal
from mutransfer.sweep.commands.options import (
    RUNS,
    SPEC,
    CodeOpt,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    code_choice,
    err,
    out,
    say,
    warn,
)
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import code, integrity, rundir

ColumnsOpt = Annotated[
    str, typer.Option(help="Table only: THEIRS=OURS, e.g. learning_rate=hp.lr,loss=val_loss.")
]
SepOpt = Annotated[
    str, typer.Option(help="Table only: between cells of a .csv, ';' or tab; else found out.")
]
DecimalOpt = Annotated[
    str, typer.Option(help="Table only: decimal mark of a .csv, '.' or ','; else found out.")
]
GoalOpt = Annotated[
    str, typer.Option(help="Table only: maximize where more is better, as of an accuracy.")
]
ToleranceOpt = Annotated[
    str, typer.Option(help="Table only: rel_loss=…, abs_loss=… or share_of_width_gain=…")
]
AxisOpt = Annotated[
    str, typer.Option(help="Table only: width, batch_size, steps, depth or params (124M, 1.3B).")
]
SearchAtOpt = Annotated[
    str,
    typer.Option(
        "--search-width",
        "--search-at",
        help="Table only: where HPs were tuned; by default its lowest value.",
    ),
]
TargetAtOpt = Annotated[
    str,
    typer.Option(
        "--target-width",
        "--target-at",
        help="Table only: where transfer is checked; by default its highest value.",
    ),
]
DefaultOpt = Annotated[str, typer.Option(help="Table only: the untuned HPs, e.g. lr=1e-3.")]
OutputOpt = Annotated[
    Path | None, typer.Option("--output", "-o", help="Table only: folder for report and plots.")
]


NameArg = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A study, a run directory, or a table (.csv or .parquet)."
    ),
]
TablesOpt = Annotated[bool, typer.Option("--tables", help="Print all tables of the report.")]
OpenOpt = Annotated[bool, typer.Option("--open", help="Open the report in the browser.")]


def analyze(
    name: NameArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    columns: ColumnsOpt = "",
    tolerance: ToleranceOpt = analyze_table.TOLERANCE,
    axis: AxisOpt = "width",
    search_at: SearchAtOpt = "",
    target_at: TargetAtOpt = "",
    default: DefaultOpt = "",
    goal: GoalOpt = "minimize",
    sep: SepOpt = "",
    decimal: DecimalOpt = "",
    output: OutputOpt = None,
    tables: TablesOpt = False,
    open_: OpenOpt = False,
    code_: CodeOpt = None,
    json_: JsonOpt = False,
) -> None:
    """Judge the transfer; write verdict.json, plots/ and report.html.

    An unfinished study is judged by its results so far. Exit code 3: the
    verdict is not PASS, or the study has not finished.

    Example: [dim]mutransfer analyze digits-dit[/dim] or
    [dim]mutransfer analyze runs.csv --columns loss=val_loss[/dim]
    """
    # matplotlib and scipy take a second to import
    from mutransfer.analysis.reporting.files import table_inputs, to_dict
    from mutransfer.sweep.results.analyze import report_inputs, write
    from mutransfer.sweep.results.star import star_sentences

    if analyze_table.is_table(name):
        result = analyze_table.judge(
            Path(name),
            columns=columns,
            tolerance=tolerance,
            search_at=search_at,
            target_at=target_at,
            default=default,
            axis=axis,
            goal=goal,
            sep=sep,
            decimal=decimal,
        )
        inputs, caveats = table_inputs(result), result.caveats
        paths = [str(analyze_table.write(result, output))] if output else []
    else:
        study, store = rundir.find_run(name, spec_path, runs)
        integrity.require_sound(store)
        study, store = code.of_choice(store, study, code_choice(code_))
        inputs = report_inputs(study, store)
        caveats = star_sentences(study, store.decisions())
        try:
            paths = write(inputs, store)
        except UserError as error:  # the verdict is told all the same
            paths = []
            warn(f"mutransfer: the report is not written: {error}")
    if json_:
        terminal.as_json(to_dict(inputs))
    else:
        print_answer(inputs, [*caveats, *(f"report: {path}" for path in paths[-1:])], tables=tables)
    if open_ and paths:
        open_in_browser(paths[-1])
    if inputs.is_under_way or inputs.verdict is None or inputs.verdict.verdict != "PASS":
        raise typer.Exit(terminal.EXIT_NOT_PASS)


def print_answer(inputs: ReportInputs, notes: Iterable[str], *, tables: bool) -> None:
    """Print the answer of a study; the most important lines come last.

    Args:
        inputs: The contents of the study's report.
        notes: The last lines.
        tables: Print all tables of the report, not only the short ones.
    """
    verdict = inputs.verdict
    if verdict is not None:
        settle = settle_table(verdict, is_external=inputs.is_external)
        short = [causes_table(verdict), settle, answer.answer_table(verdict)]
        all_ = terminal_tables(verdict, is_external=inputs.is_external)
        for table in [*all_, collapsed_table(inputs)] if tables else short:
            _print_table(table)
    for info in inputs.data.curves:
        for line in (*curve_lines(info), ""):
            say(line)
    for line in collapsed_sentences(inputs):
        say(line)
    if inputs.is_under_way and inputs.progress:
        say(inputs.progress.sentence)
    out.print(answer.sentence(inputs), style="bold", soft_wrap=True)
    if inputs.convergence is not None:
        for line in convergence.summary(inputs.convergence).sentences:
            say(line)
    for note in notes:
        say(note)


def _print_table(table: TextTable) -> None:
    if table.rows:
        out.print(terminal.table(table.title, table.columns, table.rows), soft_wrap=True)
        out.print()


def open_in_browser(path: str) -> None:
    """Open the report in the browser, or print a line on stderr where there is no browser."""
    local = Path(path)
    try:
        opened = local.exists() and webbrowser.open(local.resolve().as_uri())
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        err.print(f"no browser could be opened; the report is {path}", soft_wrap=True)
