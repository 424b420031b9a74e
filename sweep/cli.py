"""The command `mutransfer`."""

import sys
from typing import Annotated

import typer

from mutransfer import __version__
from mutransfer.sweep.commands import (
    analyze,
    check,
    dashboard,
    export,
    log,
    model,
    plan,
    run,
    status,
    terminal,
)
from mutransfer.sweep.commands.options import err

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Tune narrow μP proxies, check that the optimum transfers to wide models, export it.\n\n"
    "A study is an entry of the spec file; its results stand in RUNS/STUDY. Typing `run` again "
    "goes on where it stopped.\n\n"
    "Exit codes: 0 done; 1 it failed; 2 wrong input; 3 (analyze, export) the verdict is not PASS.",
)


def main() -> None:
    """Run the command line; leaves with the exit code of the contract."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    terminal.guarded(app, err, debug=debug)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if version:
        sys.stdout.write(f"mutransfer {__version__}\n")
        raise typer.Exit


app.command()(check.check)
app.command()(plan.plan)
app.command()(model.coordcheck)
app.command()(model.roles)
app.command()(run.run)
app.command()(status.status)
app.command()(analyze.analyze)
app.command()(export.export)
app.command()(log.log)
app.command()(dashboard.dashboard)
