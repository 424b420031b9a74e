"""The command `plan`: what a study costs, before anything runs."""

import dataclasses
from typing import Annotated

import typer

from analysis.axis import WORDS, at
from sweep import coordcheck, estimate, rundir, terminal
from sweep.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, attribution, out, say
from sweep.progress import clock
from sweep.spec import Study


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
                "axis": found.axis,
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
            " ".join(map(str, cost.places)),
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
    columns = ("stage", "trials", WORDS[found.axis].many, "FLOPs", "training, one slot")
    out.print(terminal.table(f"{found.name}: plan", columns, [*rows, last]))
    out.print(
        f"The sweep costs {total / one:.2f} × one training run at the target "
        f"{WORDS[found.axis].one} ({terminal.flops(one)}, {at(found.axis, found.target_place)}).",
        highlight=False,
    )
    unit = (
        "the production run"
        if found.production
        else f"one run at the target {WORDS[found.axis].one}"
    )
    out.print(
        f"Counted as parameters × batch × steps, the search costs {100 * paper_share:.3g} % "
        f"of {unit}.",
        highlight=False,
    )
    if coordcheck.is_due(found):
        widths = " ".join(map(str, coordcheck.widths(found)))
        say(f"Before it, a coordinate check at widths {widths}: {terminal.flops(gate_flops)}.")
    out.print(_plan_notes(found, source if step_s else None), highlight=False)
    if line := attribution(found):
        out.print(line, highlight=False)


def _plan_notes(study: Study, source: str | None) -> str:
    notes = ["Slices may be extended"]
    notes[0] += " and are refined" if study.transfer.refine else ""
    notes[0] += " as results come in, so this is a lower bound."
    notes.append(f"Times: {source}." if source else "No times: no speed was measured.")
    return " ".join(notes)
