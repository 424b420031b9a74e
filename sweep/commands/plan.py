"""The command `plan`: what a study costs, before anything runs."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mutransfer.analysis.table.axis import WORDS, at
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
from mutransfer.sweep.run import gate as coordcheck
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir


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
    told = _as_data(found, costs, source if step_s else None)
    if json_:
        terminal.as_json(told)
    else:
        _tell(found, costs, told)


def _as_data(study: Study, costs: list[StageCost], source: str | None) -> dict[str, Any]:
    one, total = estimate.target_flops(study), sum(cost.flops for cost in costs)
    return {
        "study": study.name,
        "axis": study.axis,
        "coordcheck_flops": coordcheck.flops(study),
        "stages": [dataclasses.asdict(cost) for cost in costs],
        "flops": total,
        "target_run_flops": one,
        "share_of_one_target_run": total / one,
        "search_share_by_paper": estimate.paper_share(study),
        "train_s": estimate.total_s(costs),
        "speed_source": source,
    }


def _tell(study: Study, costs: list[StageCost], told: dict[str, Any]) -> None:
    axis = WORDS[study.axis]
    rows = [_row(c.stage, c.n_trials, c.axis_values, c.flops, c.train_s) for c in costs]
    n_trials = sum(cost.n_trials for cost in costs)
    rows.append(_row("all", n_trials, (), told["flops"], told["train_s"]))
    columns = ("stage", "trials", axis.many, "FLOPs", "training, one slot")
    out.print(terminal.table(f"{study.name}: plan", columns, rows))
    say(
        f"The sweep costs {told['share_of_one_target_run']:.2f} × one training run at the target "
        f"{axis.one} ({terminal.flops(told['target_run_flops'])}, "
        f"{at(study.axis, study.target_at)})."
    )
    unit = "the production run" if study.production else f"one run at the target {axis.one}"
    say(
        "Counted as parameters × batch × steps, the search costs "
        f"{100 * told['search_share_by_paper']:.3g} % of {unit}."
    )
    if coordcheck.is_due(study):
        widths = " ".join(map(str, coordcheck.widths(study)))
        gate = terminal.flops(told["coordcheck_flops"])
        say(f"Before it, a coordinate check at widths {widths}: {gate}.")
    say(_plan_notes(study, told["speed_source"]))
    if line := attribution(study):
        say(line)


def _row(
    stage: str, n_trials: int, axis_values: Sequence[int], flops: float, train_s: float | None
) -> tuple[Any, ...]:
    time = "–" if train_s is None else clock(train_s)
    return stage, n_trials, " ".join(map(str, axis_values)), terminal.flops(flops), time


def _plan_notes(study: Study, source: str | None) -> str:
    notes = ["Slices may be extended"]
    notes[0] += " and are refined" if study.transfer.refine else ""
    notes[0] += " as results come in, so this is a lower bound."
    notes.append(f"Times: {source}." if source else "No times: no speed was measured.")
    return " ".join(notes)
