"""The commands that read results: `analyze` and `export`."""

from pathlib import Path
from typing import Annotated

import typer

from analysis.export import dump
from sweep import rundir, table_command, terminal
from sweep.faults import UserError
from sweep.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, err, out


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
    ] = table_command.TOLERANCE,
    axis: Annotated[
        str, typer.Option(help="Table: along width, batch_size, steps or depth.")
    ] = "width",
    search_width: Annotated[
        int | None,
        typer.Option("--search-width", "--search-at", help="Table: narrowest if none."),
    ] = None,
    target_width: Annotated[
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
    from sweep import analyze as room  # matplotlib and scipy take a second
    from sweep import answer

    if table_command.is_table(study):
        found = table_command.analyze(
            Path(study),
            columns=columns,
            tolerance=tolerance,
            search_width=search_width,
            target_width=target_width,
            default=default,
            axis=axis,
        )
        paths = table_command.write(found, output) if output else []
        unsaid = table_command.cannot_say(found.question) if found.question else []
    else:
        found_study, store = rundir.find_run(study, spec_path, runs)
        found = room.material(found_study, store)
        paths, unsaid = room.write(found, store), []
    if json_:
        terminal.as_json(room.as_dict(found))
    else:
        answer.tell(found, [*unsaid, *(f"report: {path}" for path in paths[-1:])], tables=tables)
    if open_ and paths:
        answer.show(paths[-1])
    if found.is_under_way or found.verdict is None or found.verdict.verdict != "PASS":
        raise typer.Exit(terminal.EXIT_NOT_PASS)


def export(
    study: StudyArg,
    width: Annotated[int | None, typer.Option("--width", help="The production width.")] = None,
    at: Annotated[
        int | None,
        typer.Option("--at", help="Other axes: the production place; its target if none."),
    ] = None,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; RUNS/STUDY/best.yaml if none.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write whatever the verdict is.")] = False,
    json_: JsonOpt = False,
) -> None:
    """Write best.yaml: the HP set, per-role values and the plan at a production width.

    A study along batch size, steps or depth is written for its target, or for --at a place.

    PASS, and EXTRAPOLATED beyond the target width, are written; anything else leaves with exit
    code 3 and is written only with --force.

    [dim]mutransfer export digits-dit --width 1152 · … --force -o best.yaml[/dim]
    """
    from sweep import analyze as room
    from sweep import export as best

    found_study, store = rundir.find_run(study, spec_path, runs)
    place = best.place_of(found_study, width, at)
    found = room.analyze(found_study, store)
    content = best.export(found, found_study, store, place)
    content = best.so_far(content, found, found_study, store)
    good = content["verdict"] in best.GOOD
    text = dump(content)
    if json_:
        terminal.as_json(content)
    if not (good or force):
        err.print(
            f"mutransfer: not written: {content['verdict_text']}\n--force writes it all the same, "
            "with the verdict on its first lines",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        raise typer.Exit(terminal.EXIT_NOT_PASS)
    if output is None:
        store.write(text.encode(), "best.yaml")
    else:
        _write_text(output, text)
    if not json_:
        out.print(content["verdict_text"], soft_wrap=True, highlight=False, markup=False)
        out.print(f"written: {output or store.path('best.yaml')}", highlight=False, soft_wrap=True)
    if not good:
        raise typer.Exit(terminal.EXIT_NOT_PASS)


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another -o") from None
