"""The command `plan`: the trials and the cost of a study, before anything runs."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.proxies.config.recorded import NotRecordedError
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.live import clock
from mutransfer.sweep.commands.options import (
    RUNS,
    SPEC,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    StudyArg,
    attribution,
    out,
    say,
)
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.plan.estimate import StageCost
from mutransfer.sweep.run import gate
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir


def plan(
    name: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    time_it: Annotated[
        bool,
        typer.Option(
            "--time/--no-time", help="Time a few steps on this machine to estimate hours."
        ),
    ] = True,
    json_: JsonOpt = False,
) -> None:
    """Print the trials, FLOPs and hours of each stage, before anything runs.

    Example: [dim]mutransfer plan digits-dit[/dim] or [dim]mutransfer plan big --no-time[/dim]
    """
    study, store = rundir.find(name, spec_path, runs)
    step_s, source = estimate.measured_step_s(store.rows().values()), "measured in this run"
    if not step_s and time_it:
        step_s, source = estimate.timed_step_s(study), "a few steps timed on this machine"
    costs = estimate.stages(study, step_s)
    summary = _summary(study, costs, source if step_s else None)
    if json_:
        terminal.as_json(summary)
    else:
        _print(study, costs, summary)


def _summary(study: Study, costs: list[StageCost], source: str | None) -> dict[str, Any]:
    target_run, total = estimate.target_flops(study), sum(cost.flops for cost in costs)
    return {
        "study": study.name,
        "axis": study.axis,
        "coordcheck_flops": _check_flops(study),
        "stages": [dataclasses.asdict(cost) for cost in costs],
        "flops": total,
        "target_run_flops": target_run,
        "share_of_one_target_run": total / target_run,
        "search_share_by_paper": estimate.paper_share(study),
        "train_s": estimate.total_s(costs),
        "speed_source": source,
    }


def _check_flops(study: Study) -> float | None:
    """FLOPs of the coordinate check; None where a run directory does not record them."""
    try:
        return gate.flops(study)
    except NotRecordedError:
        return None


def _print(study: Study, costs: list[StageCost], summary: dict[str, Any]) -> None:
    axis = AXIS_LABELS[study.axis]
    rows = [_row(c.stage, c.n_trials, c.axis_values, c.flops, c.train_s) for c in costs]
    n_trials = sum(cost.n_trials for cost in costs)
    rows.append(_row("all", n_trials, (), summary["flops"], summary["train_s"]))
    columns = ("stage", "trials", axis.plural, "FLOPs", "training, one slot")
    out.print(terminal.table(f"{study.name}: plan", columns, rows))
    say(
        f"The sweep costs {summary['share_of_one_target_run']:.2f} × one training run at the "
        f"target {axis.singular} ({terminal.flops(summary['target_run_flops'])}, "
        f"{axis_value_text(study.axis, study.target_at)})."
    )
    unit = "the production run" if study.production else f"one run at the target {axis.singular}"
    say(
        "Counted as parameters × batch × steps, the search costs "
        f"{100 * summary['search_share_by_paper']:.3g} % of {unit}."
    )
    if gate.is_due(study) and summary["coordcheck_flops"] is None:
        say("A coordinate check comes first; its cost is not recorded in this run directory.")
    elif gate.is_due(study):
        widths = " ".join(map(str, gate.widths(study)))
        cost = terminal.flops(summary["coordcheck_flops"])
        say(f"A coordinate check at widths {widths} comes first: {cost}.")
    say(_plan_notes(study, summary["speed_source"]))
    if line := attribution(study):
        say(line)


def _row(
    stage: str, n_trials: int, axis_values: Sequence[int], flops: float, train_s: float | None
) -> tuple[Any, ...]:
    time = "–" if train_s is None else clock(train_s)
    return stage, n_trials, " ".join(map(str, axis_values)), terminal.flops(flops), time


def _plan_notes(study: Study, source: str | None) -> str:
    refined = " and are refined" if study.transfer.refine else ""
    times = f"Times: {source}." if source else "No times: no speed was measured."
    return f"Slices may be extended{refined} as results come in, so this is a lower bound. {times}"
