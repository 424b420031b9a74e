"""The command `mutransfer`."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from analysis.export import dump
from analysis.rows import text_summary
from analysis.verdict import Verdict
from proxies import data, user_code
from sweep import (
    __version__,
    coordcheck,
    estimate,
    memory,
    model_commands,
    rundir,
    settle,
    spec,
    table_command,
    terminal,
)
from sweep.driver import State, run_inline
from sweep.faults import Stopped, UserError
from sweep.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, err, out
from sweep.progress import Terminal, clock
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
            f"{study.search.trials} at {study.search.width}",
            " ".join(map(str, study.transfer.widths)),
            study.target.width,
        )
        for name, study in found.items()
    ]
    columns = ("study", "family", "sliced", "search", "ladder", "target")
    out.print(terminal.table(f"{spec_path}: no faults", columns, rows))
    for line in dict.fromkeys(map(_attribution, found.values())):
        if line:
            out.print(line, highlight=False)


@app.command()
def plan(
    study: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    time_it: Annotated[
        bool, typer.Option("--time/--no-time", help="Time a few steps here to tell hours.")
    ] = True,
    json_: JsonOpt = False,
) -> None:
    """Print trials, FLOPs and hours per stage before anything runs.

    [dim]mutransfer plan digits-dit · mutransfer plan big --no-time[/dim]
    """
    found, store = rundir.find(study, spec_path, runs)
    step_s, source = estimate.measured_step_s(store.rows().values()), "measured in this run"
    if not step_s and time_it:
        step_s, source = estimate.timed_step_s(found), "a few steps timed on this machine"
    costs = estimate.stages(found, step_s)
    one = estimate.target_flops(found)
    paper_share = estimate.paper_share(found)
    total = sum(cost.flops for cost in costs)
    serial_s = estimate.total_s(costs)
    gate_flops = coordcheck.flops(found)
    if json_:
        terminal.as_json(
            {
                "study": found.name,
                "coordcheck_flops": gate_flops,
                "stages": [dataclasses.asdict(cost) for cost in costs],
                "flops": total,
                "target_run_flops": one,
                "share_of_one_target_run": total / one,
                "search_share_by_paper": paper_share,
                "train_s": serial_s,
                "speed_source": source if step_s else None,
            }
        )
        return
    rows = [
        (
            cost.stage,
            cost.n_trials,
            " ".join(map(str, cost.widths)),
            terminal.flops(cost.flops),
            "–" if cost.train_s is None else clock(cost.train_s),
        )
        for cost in costs
    ]
    n_trials = sum(cost.n_trials for cost in costs)
    last = (
        "all",
        n_trials,
        "",
        terminal.flops(total),
        "–" if serial_s is None else clock(serial_s),
    )
    columns = ("stage", "trials", "widths", "FLOPs", "training, one slot")
    out.print(terminal.table(f"{found.name}: plan", columns, [*rows, last]))
    out.print(
        f"The sweep costs {total / one:.2f} × one training run at the target width "
        f"({terminal.flops(one)}, width {found.target.width}).",
        highlight=False,
    )
    unit = "the production run" if found.production else "one run at the target width"
    out.print(
        f"Counted as parameters × batch × steps, the search costs {100 * paper_share:.3g} % "
        f"of {unit}.",
        highlight=False,
    )
    if found.coordcheck.gate != "skip":
        widths = " ".join(map(str, coordcheck.widths(found)))
        _say(f"Before it, a coordinate check at widths {widths}: {terminal.flops(gate_flops)}.")
    out.print(_plan_notes(found, source if step_s else None), highlight=False)
    if line := _attribution(found):
        out.print(line, highlight=False)


def _plan_notes(study: Study, source: str | None) -> str:
    notes = ["Slices may be extended"]
    notes[0] += " and are refined" if study.transfer.refine else ""
    notes[0] += " as results come in, so this is a lower bound."
    notes.append(f"Times: {source}." if source else "No times: no speed was measured.")
    return " ".join(notes)


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
    if not json_ and (line := _attribution(found)):
        out.print(line, highlight=False)
    with store.lock():
        for change in rundir.claim(store, found):
            out.print(f"extended: {change}", markup=False, highlight=False)
        store.sweep_temporaries()
        if retry_failed:
            out.print(f"failed trials to run again: {store.forget_failed()}")
        if not no_coordcheck:
            coordcheck.gate(found, store, tell=lambda line: None if json_ else _say(line))
        if settle_:
            _decide_to_settle(found, store)
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
        _say(f"nothing to settle: {verdict.sentence}")
        return
    decisions = store.decisions()
    content = settle.content(verdict.settle, decisions, verdict.sentence)
    store.decide(f"{settle.PREFIX}{len(settle.names(decisions)):03d}", content)
    for proposal in verdict.settle:
        _say(f"settles {proposal.cause}: {proposal.text}")


def _note_shadows(study: Study) -> None:
    for place in user_code.shadowed(study.imports):
        _say(f"note: {place} has the name of a package of mutransfer and cannot be imported here")


def _say(line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _attribution(study: Study) -> str | None:
    """What the licence of the study's data asks to be shown."""
    line = data.attribution(study.data)
    return line and f"data: {line}"


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
                "failed": failed[["trial_id", "width", "error"]].to_dict("records"),
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
    errors = failed[["trial_id", "width", "error"]].itertuples(index=False)
    if len(failed):
        out.print(terminal.table("failed", ("trial", "width", "error"), errors))


def _hps(hps: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in hps.items())


@app.command()
def analyze(
    study: Annotated[
        str, typer.Argument(help="A study, a run directory, or a table: results.csv, .parquet.")
    ],
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    columns: Annotated[
        str, typer.Option(help="Table: its names for ours, learning_rate=hp.lr,loss=val_loss.")
    ] = "",
    tolerance: Annotated[
        str, typer.Option(help="Table: rel_loss=…, abs_loss=… or share_of_width_gain=….")
    ] = table_command.TOLERANCE,
    search_width: Annotated[int | None, typer.Option(help="Table: narrowest if none.")] = None,
    target_width: Annotated[int | None, typer.Option(help="Table: widest if none.")] = None,
    default: Annotated[str, typer.Option(help="Table: untuned values, lr=1e-3.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Table: folder for report and plots.")
    ] = None,
    json_: JsonOpt = False,
) -> None:
    """Judge the transfer: verdict.json, plots/ and report.html. Exit code 3: it is not PASS.

    [dim]mutransfer analyze digits-dit · mutransfer analyze runs.csv --columns loss=val_loss[/dim]
    """
    from sweep import analyze as room  # matplotlib and scipy take a second

    if table_command.is_table(study):
        found = table_command.analyze(
            Path(study),
            columns=columns,
            tolerance=tolerance,
            search_width=search_width,
            target_width=target_width,
            default=default,
        )
        paths = table_command.write(found, output, Path(study)) if output else []
        unsaid = table_command.cannot_say(found.question)
    else:
        found_study, store = rundir.find_run(study, spec_path, runs)
        found = room.analyze(found_study, store)
        paths, unsaid = room.write(found, found_study, store), []
    _tell(found.verdict, paths, unsaid, json_)


def _tell(verdict: Verdict, paths: list[str], unsaid: list[str], json_: bool) -> None:
    if json_:
        terminal.as_json(verdict.to_dict())
    else:
        for shown in text_summary(verdict):
            if shown.rows:
                out.print(terminal.table(shown.title, shown.columns, shown.rows), soft_wrap=True)
                out.print()
        out.print(verdict.sentence, style="bold", highlight=False, soft_wrap=True)
        for line in [*unsaid, *(f"report: {path}" for path in paths[-1:])]:
            out.print(line, highlight=False, soft_wrap=True)
    if verdict.verdict != "PASS":
        raise typer.Exit(terminal.EXIT_NOT_PASS)


@app.command()
def export(
    study: StudyArg,
    width: Annotated[int, typer.Option("--width", help="The production width.")],
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; RUNS/STUDY/best.yaml if none.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write whatever the verdict is.")] = False,
    json_: JsonOpt = False,
) -> None:
    """Write best.yaml: the HP set, per-role values and the plan at a production width.

    PASS, and EXTRAPOLATED beyond the target width, are written; anything else leaves with exit
    code 3 and is written only with --force.

    [dim]mutransfer export digits-dit --width 1152 · … --force -o best.yaml[/dim]
    """
    from sweep import analyze as room
    from sweep import export as best

    found_study, store = rundir.find_run(study, spec_path, runs)
    content = best.export(room.analyze(found_study, store), found_study, store, width)
    good = content["verdict"] in best.GOOD
    text = dump(content)
    if json_:
        terminal.as_json(content)
    if not (good or force):
        err.print(
            f"mutransfer: not written: {content['verdict_text']}\n--force writes it all the same, "
            "with the verdict on its first lines",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        raise typer.Exit(terminal.EXIT_NOT_PASS)
    if output is None:
        store.write(text.encode(), "best.yaml")
    else:
        _write_text(output, text)
    if not json_:
        out.print(content["verdict_text"], soft_wrap=True, highlight=False, markup=False)
        out.print(f"written: {output or store.path('best.yaml')}", highlight=False, soft_wrap=True)
    if not good:
        raise typer.Exit(terminal.EXIT_NOT_PASS)


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another -o") from None
