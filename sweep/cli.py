"""The command `mutransfer`."""

import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from proxies import data, user_code
from sweep import (
    __version__,
    coordcheck,
    dashboard_command,
    log_command,
    loggers,
    memory,
    model_commands,
    plan_command,
    result_commands,
    rundir,
    settle,
    spec,
    terminal,
)
from sweep.driver import State, run_inline
from sweep.faults import Stopped, UserError
from sweep.options import (
    RUNS,
    SPEC,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    StudyArg,
    attribution,
    err,
    out,
    say,
)
from sweep.progress import Terminal
from sweep.spec import Study
from sweep.store import Store

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


@app.command()
def check(
    studies: Annotated[list[str] | None, typer.Argument(help="Studies; all if none.")] = None,
    spec_path: SpecOpt = SPEC,
    json_: JsonOpt = False,
) -> None:
    """Check the spec: every fault at once, with line, rule, what was found and what to do.

    [dim]mutransfer check · mutransfer check digits-dit --spec my.yaml[/dim]
    """
    found = spec.read(spec_path, tuple(studies or ()))
    if json_:
        terminal.as_json({name: study.resolved() for name, study in found.items()})
        return
    rows = [
        (
            name,
            study.model.family,
            ", ".join(study.transfer.parameters),
            study.axis,
            f"{study.search.trials} at {study.search_place}",
            " ".join(map(str, study.transfer.places)),
            study.target_place,
        )
        for name, study in found.items()
    ]
    columns = ("study", "family", "sliced", "axis", "search", "ladder", "target")
    out.print(terminal.table(f"{spec_path}: no faults", columns, rows))
    for line in dict.fromkeys(map(attribution, found.values())):
        if line:
            out.print(line, highlight=False)


app.command()(plan_command.plan)
app.command()(model_commands.coordcheck)
app.command()(model_commands.roles)


@app.command()
def run(
    study: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    inline: Annotated[
        bool, typer.Option("--inline", help="One trial after the other, here, without Ray.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed trials again.")
    ] = False,
    settle_: Annotated[
        bool, typer.Option("--settle", help="Run what would settle an inconclusive verdict.")
    ] = False,
    no_coordcheck: Annotated[
        bool, typer.Option("--no-coordcheck", help="Sweep without a coordinate check.")
    ] = False,
    json_: JsonOpt = False,
) -> None:
    """Start a study or go on with it. Its model passes a coordinate check first.

    [dim]mutransfer run digits-dit · mutransfer run runs/digits-dit --retry-failed[/dim]
    """
    found, store = rundir.find(study, spec_path, runs)
    _note_shadows(found)
    data.load(found.data)  # says what is wrong with it before anything is written
    if not json_ and (line := attribution(found)):
        out.print(line, highlight=False)
    with store.lock():
        for change in rundir.claim(store, found):
            out.print(f"extended: {change}", markup=False, highlight=False)
        store.sweep_temporaries()
        if retry_failed:
            out.print(f"failed trials to run again: {store.forget_failed()}")
        if not no_coordcheck:
            coordcheck.gate(found, store, tell=lambda line: None if json_ else say(line))
        if settle_:
            _decide_to_settle(found, store)
        with loggers.following(found.name, store, found.loggers or (), tell=_note):
            state = _run(found, store, inline)
    counts = state.counts()
    if json_:
        terminal.as_json({"run_directory": store.root, "status": counts})
        return
    told = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
    out.print(f"{found.name}: finished in {store.root}: {told}", highlight=False, soft_wrap=True)
    if counts["failed"]:
        out.print("`mutransfer status` shows why trials failed; --retry-failed runs them again.")
    out.print(f"next: mutransfer analyze {study}", highlight=False)


def _decide_to_settle(study: Study, store: Store) -> None:
    """Write down the trials that would settle the verdict, so that the run asks for them."""
    from sweep import analyze as room  # matplotlib and scipy take a second

    if not State.load(study, store).next.finished:
        raise UserError(
            f"{store.root}: the study has not finished, so nothing is inconclusive yet; "
            f"`mutransfer run {study.name}` first"
        )
    verdict = room.analyze(study, store).verdict
    if not verdict.settle:
        say(f"nothing to settle: {verdict.sentence}")
        return
    decisions = store.decisions()
    content = settle.content(verdict.settle, decisions, verdict.sentence)
    store.decide(settle.next_name(decisions), content)
    for proposal in verdict.settle:
        say(f"settles {proposal.cause}: {proposal.text}")


def _note(line: str) -> None:
    """Say something beside the result, which may be JSON on stdout."""
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def _note_shadows(study: Study) -> None:
    for place in user_code.shadowed(study.imports):
        say(f"note: {place} has the name of a package of mutransfer and cannot be imported here")


def _run(study: Study, store: Store, inline: bool) -> State:
    # Bound to today's stdout: Ray's lines are kept off the terminal by replacing sys.stdout.
    with Terminal(Console(file=sys.stdout), study) as watcher:
        try:
            state = State.load(study, store, watcher)
            if not state.next.finished:  # Ray takes seconds to start: only for something to do
                if inline:
                    memory.check(study, memory.of_this_machine(), "this machine")
                _executor(inline)(state)
        except (Stopped, KeyboardInterrupt):
            err.print(
                f"mutransfer: stopped; every finished trial is kept in {store.root}; "
                "type the same command again to go on",
                highlight=False,
                soft_wrap=True,
            )
            raise
    return state


def _executor(inline: bool) -> Any:
    if inline:
        return run_inline
    from sweep import launch  # imports Ray, which takes seconds

    return launch.run


@app.command()
def status(
    study: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Show how far a study is, and why trials failed.

    [dim]mutransfer status digits-dit[/dim]
    """
    found, store = rundir.find_run(study, spec_path, runs)
    table = store.table()
    decisions = store.decisions()
    by_stage = table.groupby(["asked_by", "status"]).size()
    failed = table[table["status"] == "failed"]
    if json_:
        terminal.as_json(
            {
                "study": found.name,
                "run_directory": store.root,
                "trials": [
                    {"stage": k[0], "status": k[1], "n": int(n)} for k, n in by_stage.items()
                ],
                "decisions": sorted(decisions),
                "failed": failed[["trial_id", found.axis, "error"]].to_dict("records"),
            }
        )
        return
    rows = [(stage, word, int(n)) for (stage, word), n in by_stage.items()]
    out.print(terminal.table(f"{found.name}: {store.root}", ("stage", "status", "trials"), rows))
    if "centre" in decisions:
        out.print(f"search best: {_hps(decisions['centre']['search_best'])}", highlight=False)
    if "transferred" in decisions:
        chosen = decisions["transferred"]["transferred"]
        out.print(f"transferred set: {_hps(chosen)}", highlight=False)
    errors = failed[["trial_id", found.axis, "error"]].itertuples(index=False)
    if len(failed):
        out.print(terminal.table("failed", ("trial", found.axis, "error"), errors))


def _hps(hps: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in hps.items())


app.command()(result_commands.analyze)
app.command()(result_commands.export)
app.command()(log_command.log)
app.command()(dashboard_command.dashboard)
