"""The command `export`."""

from pathlib import Path
from typing import Annotated

import typer

from mutransfer.analysis.export import dump
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import (
    RUNS,
    SPEC,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    StudyArg,
    err,
    out,
)
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import rundir


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
    from mutransfer.sweep.results import analyze
    from mutransfer.sweep.results import export as best

    found_study, store = rundir.find_run(study, spec_path, runs)
    axis_value = best.axis_value_of(found_study, width, at)
    found = analyze.analyze(found_study, store)
    content = best.export(found, found_study, store, axis_value)
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
