"""What the commands share: arguments, and where they print."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)

StudyArg = Annotated[str, typer.Argument(help="A study of the spec, or a run directory.")]
SpecOpt = Annotated[Path, typer.Option("--spec", help="The YAML file with the studies.")]
RunsOpt = Annotated[str, typer.Option("--runs", help="Where run directories stand; s3://… works.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
SPEC, RUNS = Path("sweeps.yaml"), "runs"
