"""The command `dashboard`: show a study in optuna-dashboard, on this machine only."""

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from mutransfer.sweep.commands.options import RUNS, SPEC, RunsOpt, SpecOpt, StudyArg, say
from mutransfer.sweep.errors import RunError, UserError
from mutransfer.sweep.store import rundir

HOST, LOG = "127.0.0.1", "dashboard.log"
REFRESH_S = 10.0
# -P: without it a module in the working directory, which may be a stranger's, is imported first.
SERVE = ["-P", "-c", "import optuna_dashboard._cli as c; c.main()"]


def dashboard(
    name: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8080,
    journal_only: Annotated[
        bool, typer.Option("--journal-only", help="Write the journal, start no server.")
    ] = False,
) -> None:
    """Show the trials in optuna-dashboard, on 127.0.0.1; new trials appear while it is open.

    Example: [dim]mutransfer dashboard digits-dit --port 8080[/dim]
    """
    from mutransfer.sweep.viewers.optuna_dashboard import Journal  # Optuna takes a second

    study, store = rundir.find_run(name, spec_path, runs)
    if not journal_only and importlib.util.find_spec("optuna_dashboard") is None:
        raise UserError(
            "dashboard: the package optuna-dashboard is not installed; pip install "
            "'mutransfer[dashboard]', or use --journal-only and open the journal elsewhere"
        )
    journal = Journal(study, store)
    say(f"{journal.path}: {journal.add()} trials")
    if journal_only:
        say(f"open it with: optuna-dashboard {journal.path}")
        return
    command = [sys.executable, *SERVE, str(journal.path), "--host", HOST, "--port", str(port)]
    command += ["--server", "wsgiref"]
    log = journal.path.with_name(LOG)
    log.unlink(missing_ok=True)  # of a stranger's run directory it may be a link to another file
    say(f"http://{HOST}:{port}/ answers in a few seconds; Ctrl-C ends it")
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # then `finally` ends the server
        try:
            _add_until_end(journal.add, server)
        finally:
            server.terminate()
    last = log.read_text().strip().rpartition("\n")[2]
    raise RunError(
        f"optuna-dashboard ended: {last} (see {log}); if port {port} is in use, choose another "
        "--port"
    )


def _add_until_end(add: Callable[[], int], server: subprocess.Popen[bytes]) -> None:
    """Add new trials to the journal until the server ends."""
    while True:
        try:
            server.wait(timeout=REFRESH_S)
        except subprocess.TimeoutExpired:
            add()
        else:
            return
