"""The command `export`: write best.yaml for a production run."""

from pathlib import Path
from typing import Annotated

import typer

from mutransfer.analysis.best import BestError
from mutransfer.analysis.export_formats import FILES, Format
from mutransfer.analysis.export_formats import text as text_in
from mutransfer.proxies.fields import MAX_COUNT, MAX_WIDTH
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import (
    RUNS,
    SPEC,
    CodeOpt,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    StudyArg,
    code_choice,
    err,
    out,
)
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import code, integrity, rundir

WidthOpt = Annotated[
    int | None, typer.Option("--width", min=1, max=MAX_WIDTH, help="The production width.")
]
AtOpt = Annotated[
    int | None,
    typer.Option(
        "--at",
        min=1,
        max=MAX_COUNT,
        help="Along another axis: the production value; by default the target's.",
    ),
]
FormatOpt = Annotated[
    Format, typer.Option("--format", help="yaml with the plan, or groups for another trainer.")
]
OutputOpt = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File to write; by default best.… in RUNS/STUDY."),
]
ForceOpt = Annotated[bool, typer.Option("--force", help="Write the file whatever the verdict is.")]


def export(
    name: StudyArg,
    width: WidthOpt = None,
    at: AtOpt = None,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    format_: FormatOpt = "yaml",
    output: OutputOpt = None,
    force: ForceOpt = False,
    code_: CodeOpt = None,
    json_: JsonOpt = False,
) -> None:
    """Write best.yaml: the HP set, the values per role, and the plan at a production width.

    Other formats hold the values per parameter group, by pattern of names, for
    trainers without this package: docs/exports.md.

    For a study along batch size, steps or depth, --at gives the production value.

    A set is written if its verdict is PASS or, where nothing was run,
    PREDICTED. With any other verdict it is written only with --force, and
    the exit code is 3.

    Example: [dim]mutransfer export digits-dit --width 1152 -o best.yaml[/dim]
    """
    # matplotlib and scipy take a second to import
    from mutransfer.sweep.results.analyze import analyze
    from mutransfer.sweep.results.export import GOOD, axis_value_of, mark_unfinished
    from mutransfer.sweep.results.export import export as best_yaml

    study, store = rundir.find_run(name, spec_path, runs)
    integrity.require_sound(store)
    study, store = code.of_choice(store, study, code_choice(code_))
    axis_value = axis_value_of(study, width, at)
    analysis = analyze(study, store)
    content = best_yaml(analysis, study, store, axis_value)
    content = mark_unfinished(content, analysis, study, store)
    is_good = content["verdict"] in GOOD
    try:
        text = text_in(content, format_)
    except BestError as error:
        raise UserError(str(error)) from None
    if json_:
        terminal.as_json(content)
    if not (is_good or force):
        err.print(
            f"mutransfer: not written: {content['verdict_text']}\n--force writes it anyway, with "
            "the verdict in its first lines", soft_wrap=True,
        )  # fmt: skip
        raise typer.Exit(terminal.EXIT_NOT_PASS)
    if output is None:
        store.write(text.encode(), FILES[format_])
    else:
        _write_text(output, text)
    if not json_:
        out.print(content["verdict_text"], soft_wrap=True)
        out.print(f"written: {output or store.path(FILES[format_])}", soft_wrap=True)
    if not is_good:
        raise typer.Exit(terminal.EXIT_NOT_PASS)


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another -o") from None
