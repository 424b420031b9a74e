"""The command `run`: run a study, or continue it."""

import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any, TextIO

import typer

from mutransfer.proxies import data
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.console import PlainConsole
from mutransfer.sweep.commands.live import LiveProgress, look_at_data
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
    warn,
)
from mutransfer.sweep.errors import Stopped, UserError
from mutransfer.sweep.plan import settle
from mutransfer.sweep.run import events, gate, memory
from mutransfer.sweep.run.driver import State, run_inline
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import code, integrity, repair, rundir
from mutransfer.sweep.store.store import MOST_LOST, WORKER_LOST, Store
from mutransfer.sweep.viewers import follow


def run(
    name: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    inline: Annotated[
        bool,
        typer.Option(
            "--inline", help="Run one trial after the other in this process, without Ray."
        ),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed trials again.")
    ] = False,
    settle_: Annotated[
        bool,
        typer.Option("--settle", help="Run the trials that would settle an inconclusive verdict."),
    ] = False,
    no_coordcheck: Annotated[
        bool, typer.Option("--no-coordcheck", help="Skip the coordinate check.")
    ] = False,
    same_code: Annotated[
        bool,
        typer.Option("--same-code", help="Your code changed, and computes the same as before."),
    ] = False,
    json_: JsonOpt = False,
) -> None:
    """Run a study, or continue it where it stopped, after a coordinate check of its model.

    Example: [dim]mutransfer run digits-dit[/dim] or
    [dim]mutransfer run runs/digits-dit --retry-failed[/dim]
    """
    study, store = rundir.find_to_train(name, spec_path, runs)
    data.load(study.data)  # faults of the data are raised before anything is written
    for warning in look_at_data(err, study).warnings:
        warn(f"warning: {warning}")
    if not json_ and (line := attribution(study)):
        out.print(line)
    with store.lock():
        _set_damaged_aside(store)
        study = code.named_by_run_directory(store, study, same_code=same_code)
        for change in rundir.claim(store, study):
            (warn if json_ else say)(f"extended: {change}")
        store.sweep_temporaries()
        executor = "inline" if inline else "ray"
        with events.of_run(store, study=study.name, executor=executor) as ended:
            _forget_failed(store, retry_failed, warn if json_ else say)
            if not no_coordcheck:
                gate.require_pass(study, store, notify=lambda line: None if json_ else say(line))
            if settle_:
                _decide_to_settle(study, store)
            with follow.following(study.name, store, study.loggers or (), notify=warn):
                state = _run(study, store, inline, sys.stderr if json_ else sys.stdout)
            ended |= {"trials": dict(state.counts()), "stopped_by": state.stopped_by}
    _tell(study, store, state, json_=json_)
    if not json_:
        out.print(f"next: mutransfer analyze {name}")


def _forget_failed(store: Store, retry_failed: bool, tell: Callable[[str], object]) -> None:
    """Remove the rows of failed trials that run again: lost workers, or all of them."""
    if retry_failed:
        tell(f"failed trials to run again: {store.forget_failed()}")
        return
    given_up = store.lost_too_often()
    if n := store.forget_failed(WORKER_LOST, keep=given_up):
        tell(f"trials that lost their worker run again: {n}")
    if given_up:
        tell(
            f"trials that lost their worker in {MOST_LOST} runs stay failed: {len(given_up)}; give "
            "them more memory, then --retry-failed runs them again"
        )


def _tell(study: Study, store: Store, state: State, *, json_: bool) -> None:
    """How the run ended."""
    counts = state.counts()
    if json_:
        stopped = {"stopped_by": state.stopped_by} if state.stopped_by else {}
        terminal.as_json({"run_directory": store.root, "status": counts, **stopped})
        return
    text = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
    if state.stopped_by:
        say(f"{study.name}: ended by its limits, in {store.root}: {text}")
        say(f"{state.stopped_by}; raise it in the spec and run again to continue")
    else:
        say(f"{study.name}: finished in {store.root}: {text}")
    if counts["failed"]:
        out.print("`mutransfer status` shows why trials failed; --retry-failed runs them again.")


def _set_damaged_aside(store: Store) -> None:
    """Set damaged trials aside, which then run again; other damage ends the run."""
    if not store.exists(rundir.STUDY_FILE):
        return
    findings = integrity.look(store)
    for line in repair.trials(store, findings):
        warn(line)
    for finding in findings:
        if finding.kind == "ignored":
            warn(f"ignored: {finding.path}: no file of this program")
    integrity.refuse(store, [f for f in findings if f.kind != "trial"])


def _decide_to_settle(study: Study, store: Store) -> None:
    """Write the decision to run the trials that would settle the verdict."""
    from mutransfer.sweep.results.analyze import analyze  # matplotlib and scipy take a second

    if not State.load(study, store).next.finished:
        raise UserError(
            f"{store.root}: the study has not finished, so nothing is inconclusive yet; "
            f"`mutransfer run {study.name}` first"
        )
    verdict = analyze(study, store).verdict
    if not verdict.settle:
        say(f"nothing to settle: {verdict.sentence}")
        return
    decisions = store.decisions()
    content = settle.content(study, verdict.settle, decisions, verdict.sentence)
    store.decide(settle.next_name(decisions), content)
    for proposal in verdict.settle:
        say(f"settles {proposal.cause}: {proposal.text}")


def _run(study: Study, store: Store, inline: bool, to: TextIO) -> State:
    """Run the remaining trials; a stop is told once, after the last line of progress."""
    try:
        # The console keeps this stdout: `ray_tune` replaces sys.stdout to redirect Ray's output.
        with LiveProgress(PlainConsole(file=to), study) as watcher:
            state = State.load(study, store, watcher)
            if not state.next.finished:  # Ray takes seconds to start
                if inline:
                    memory.check(study, memory.of_this_machine(), "this machine")
                _executor(inline)(state)
            return state
    except (Stopped, KeyboardInterrupt) as stop:
        number = stop.signal_number if isinstance(stop, Stopped) else signal.SIGINT
        text = (
            f"stopped; every finished trial is kept in {store.root}; type the same command again "
            "to continue"
        )
        raise Stopped(number, text) from None


def _executor(inline: bool) -> Any:
    if inline:
        return run_inline
    from mutransfer.sweep.run import ray_tune  # imports Ray, which takes seconds

    return ray_tune.run
