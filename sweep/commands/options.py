"""What the commands share: arguments, and where they print."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mutransfer.proxies import data
from mutransfer.sweep.spec.study import Study

out = Console()
err = Console(stderr=True)

StudyArg = Annotated[str, typer.Argument(help="A study of the spec, or a run directory.")]
SpecOpt = Annotated[Path, typer.Option("--spec", help="The YAML file with the studies.")]
RunsOpt = Annotated[str, typer.Option("--runs", help="Where run directories stand; s3://… works.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
SPEC, RUNS = Path("sweeps.yaml"), "runs"


def say(line: str) -> None:
    """Print a line as it is."""
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def attribution(study: Study) -> str | None:
    """What the licence of the study's data asks to be shown."""
    line = data.attribution(study.data)
    return line and f"data: {line}"
