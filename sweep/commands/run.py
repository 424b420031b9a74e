"""The command `run`."""

import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from mutransfer.proxies import data
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.live import Terminal
from mutransfer.sweep.commands.options import (
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
from mutransfer.sweep.errors import Stopped, UserError
from mutransfer.sweep.plan import settle
from mutransfer.sweep.run import gate, memory
from mutransfer.sweep.run.driver import State, run_inline
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers import follow


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
            gate.gate(found, store, tell=lambda line: None if json_ else say(line))
        if settle_:
            _decide_to_settle(found, store)
        with follow.following(found.name, store, found.loggers or (), tell=_note):
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
    from mutransfer.sweep.results import analyze as room  # matplotlib and scipy take a second

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
    from mutransfer.sweep.run import ray_tune  # imports Ray, which takes seconds

    return ray_tune.run
