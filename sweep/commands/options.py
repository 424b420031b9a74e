"""What the commands share: their arguments and options, and the consoles they print to."""

from pathlib import Path
from typing import Annotated

import typer

from mutransfer.proxies import data
from mutransfer.sweep.commands.console import PlainConsole
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store.code import CHOICES, Choice

out = PlainConsole()
err = PlainConsole(stderr=True)

StudyArg = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study of the spec file, or a run directory.")
]
SpecOpt = Annotated[Path, typer.Option("--spec", help="The YAML file with the studies.")]
RunsOpt = Annotated[str, typer.Option("--runs", help="Folder of the run directories, also s3://…")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
CodeOpt = Annotated[
    str | None,
    typer.Option("--code", help="Where a table holds two codes of yours: newer or older."),
]
SPEC, RUNS = Path("sweeps.yaml"), "runs"


def code_choice(text: str | None) -> Choice | None:
    """The choice of a code on the command line. Raises UserError."""
    if text is not None and text not in CHOICES:
        raise UserError(f"--code: {' or '.join(CHOICES)}; got {text!r}")
    return text


def say(line: str) -> None:
    """Print a line without line breaks."""
    out.print(line, soft_wrap=True)


def warn(line: str) -> None:
    """Print a line on stderr, as `say` does: the result on stdout may be JSON."""
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def attribution(study: Study) -> str | None:
    """The credit that the licence of the study's data requires; None where it requires none."""
    line = data.attribution(study.data)
    return line and f"data: {line}"
