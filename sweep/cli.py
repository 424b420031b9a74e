"""The command `mutransfer`."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Annotated

import typer

from mutransfer import __version__
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.analyze import analyze
from mutransfer.sweep.commands.check import check
from mutransfer.sweep.commands.dashboard import dashboard
from mutransfer.sweep.commands.doctor import doctor
from mutransfer.sweep.commands.export import export
from mutransfer.sweep.commands.log import log
from mutransfer.sweep.commands.model import coordcheck, roles
from mutransfer.sweep.commands.options import err
from mutransfer.sweep.commands.plan import plan
from mutransfer.sweep.commands.run import run
from mutransfer.sweep.commands.status import status
from mutransfer.sweep.drafts import encode, init
from mutransfer.sweep.errors import Stopped

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Tune narrow μP models, judge whether the optimum transfers to wide ones, export it.\n\n"
    "A study is an entry of the spec file; its results are in RUNS/STUDY. `run` continues a study "
    "that was stopped.\n\n"
    "Exit codes: 0 success; 1 failure; 2 wrong input; 3 (analyze, export) the verdict is not PASS.",
)


def main() -> None:
    """Run the command line; exits with one of the codes that the help text lists."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    with _stopped_by_signals():
        terminal.guarded(app, err, debug=debug)


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise `Stopped`.

    Typer would end a command at a KeyboardInterrupt in silence. SIGTERM, as Slurm and Kubernetes
    send it, would end it without a word; the first process of a container would not even notice.
    """

    def stop(signal_number: int, frame: object) -> None:
        raise Stopped(signal_number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # A shell starts what runs in its background with Ctrl-C ignored.
    heard = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if version:
        sys.stdout.write(f"mutransfer {__version__}\n")
        raise typer.Exit


# In the order of the help text.
for _command in (
    encode,
    init,
    check,
    plan,
    coordcheck,
    roles,
    run,
    status,
    analyze,
    export,
    log,
    dashboard,
    doctor,
):
    app.command()(_command)
