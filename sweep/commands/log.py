"""The command `log`: finished trials to TensorBoard, W&B or MLflow, at any time."""

from typing import Annotated

import typer

from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, say
from mutransfer.sweep.errors import RunError, UserError
from mutransfer.sweep.spec import loggers
from mutransfer.sweep.store import rundir
from mutransfer.sweep.viewers import follow


def log(
    study: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    to: Annotated[
        str, typer.Option("--to", help="tensorboard,wandb,mlflow; the study's `loggers` if none.")
    ] = "",
    json_: JsonOpt = False,
) -> None:
    """Write finished trials to TensorBoard, W&B or MLflow; those written before are skipped.

    [dim]mutransfer log digits-dit --to tensorboard,mlflow[/dim]
    """
    found, store = rundir.find_run(study, spec_path, runs)
    names = tuple(filter(None, map(str.strip, to.split(",")))) or found.loggers or ()
    if not names:
        known = ", ".join(loggers.SINKS)
        raise UserError(f"log: --to, or `loggers` in the study; got neither; give some of {known}")
    follow.require(names)
    report = follow.write_new(found.name, store, names)
    if json_:
        terminal.as_json({"written": report.written, "faults": report.faults})
    else:
        for name, n in report.written.items():
            say(f"{name}: {n} trials written")
    if report.faults:
        raise RunError("\n".join(report.faults.values()))
