"""The command `log`: write finished trials to TensorBoard, W&B or MLflow, at any time."""

from typing import Annotated

import typer

from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, say
from mutransfer.sweep.errors import RunError, UserError
from mutransfer.sweep.spec import loggers
from mutransfer.sweep.store import rundir
from mutransfer.sweep.viewers import log_writer


def log(
    name: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Comma-separated: tensorboard,wandb,mlflow; by default the study's `loggers`.",
        ),
    ] = "",
    json_: JsonOpt = False,
) -> None:
    """Write finished trials to TensorBoard, W&B or MLflow; skip those written before.

    Example: [dim]mutransfer log digits-dit --to tensorboard,mlflow[/dim]
    """
    study, store = rundir.find_run(name, spec_path, runs)
    names = tuple(filter(None, map(str.strip, to.split(",")))) or study.loggers or ()
    if not names:
        loggers_text = ", ".join(loggers.SINKS)
        raise UserError(
            f"log: loggers come from --to or `loggers` in the study; got neither; name some of "
            f"{loggers_text}"
        )
    log_writer.require(names)
    result = log_writer.write_new(study.name, store, names)
    if json_:
        terminal.as_json({"written": result.written, "faults": result.faults})
    else:
        for logger, n in result.written.items():
            say(f"{logger}: {n} trials written")
    if result.faults:
        raise RunError("\n".join(result.faults.values()))
