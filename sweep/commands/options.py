"""What the commands share: their arguments and options, and the consoles they print to."""

from pathlib import Path
from typing import Annotated

import typer

from mutransfer.proxies import data
from mutransfer.sweep.commands.console import PlainConsole
from mutransfer.sweep.spec.study import Study

out = PlainConsole()
err = PlainConsole(stderr=True)

StudyArg = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study of the spec file, or a run directory.")
]
SpecOpt = Annotated[Path, typer.Option("--spec", help="The YAML file with the studies.")]
RunsOpt = Annotated[str, typer.Option("--runs", help="Folder of the run directories, also s3://…")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
SPEC, RUNS = Path("sweeps.yaml"), "runs"


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
