"""The command `plan`: the trials and the whole cost of a study, before anything runs."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mutransfer.analysis.power.power import Power
from mutransfer.analysis.reporting.cost import (
    AT_TARGET,
    amount_cells,
    amount_columns,
    amount_text,
    cost_sentences,
)
from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.analysis.text_table import flops_text, percent_text
from mutransfer.analysis.transfer.star_design import FEW_FIRST
from mutransfer.analysis.verdict.cost import Amount, Cost
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
from mutransfer.sweep.plan.estimate import StagePlan
from mutransfer.sweep.plan.power import (
    can_predict,
    power_of,
    power_sentence,
    prediction_sentence,
)
from mutransfer.sweep.results.star import plan_sentence
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
    with_power: Annotated[
        bool,
        typer.Option("--power/--no-power", help="Simulate studies to tell the chance of a PASS."),
    ] = True,
    json_: JsonOpt = False,
) -> None:
    """Print the trials, FLOPs and hours of each stage, and the power, before anything runs.

    The cost is given in runs at the target and as a share of the production run, beside that of
    tuning at the target instead; it is that of all looks of a star, and less where the first one
    decides. The power is the chance of a PASS, with the noise that the slices at the search show or
    that `assume: {noise_rel: …, gain_rel: …}` names.

    Example: [dim]mutransfer plan digits-dit[/dim] or [dim]mutransfer plan big --no-time[/dim]
    """
    study, store = rundir.find(name, spec_path, runs)
    step_s, source = estimate.measured_step_s(store.rows().values()), "measured in this run"
    if not step_s and time_it:
        step_s, source = estimate.timed_step_s(study), "a few steps timed on this machine"
    stages = estimate.stages(study, step_s)
    cost = estimate.nominal_cost(study, stages)
    least = estimate.nominal_cost(study, estimate.stages(study, step_s, FEW_FIRST[:1]))
    chances = power_of(study, store.decisions(), store.table()) if with_power else None
    known_source = source if step_s else None
    if json_:
        terminal.as_json(_summary(study, stages, (cost, least), chances, known_source))
    else:
        _print(study, stages, (cost, least), known_source)
        if with_power:
            say(power_sentence(study, chances))
        say(prediction_sentence(study))


def _summary(
    study: Study,
    stages: list[StagePlan],
    costs: tuple[Cost, Cost],
    chances: Power | None,
    source: str | None,
) -> dict[str, Any]:
    cost, least = costs
    return {
        "study": study.name,
        "axis": study.axis,
        "coordcheck_flops": _check_flops(study),
        "stages": [dataclasses.asdict(stage) for stage in stages],
        "cost": dataclasses.asdict(cost),
        "cost_least": dataclasses.asdict(least),
        "power": dataclasses.asdict(chances) if chances else None,
        "can_predict": can_predict(study),
        "search_share_by_paper": estimate.paper_share(study),
        "train_s": estimate.total_s(stages),
        "speed_source": source,
    }


def _check_flops(study: Study) -> float | None:
    """FLOPs of the coordinate check; None where a run directory does not record them."""
    try:
        return gate.flops(study)
    except NotRecordedError:
        return None


def _print(
    study: Study, stages: list[StagePlan], costs: tuple[Cost, Cost], source: str | None
) -> None:
    cost, least = costs
    rows = [
        (s.stage, *_cells(cost, cost.by_stage[s.stage], s.axis_values, s.train_s)) for s in stages
    ]
    rows.append(("all", *_cells(cost, cost, (), estimate.total_s(stages))))
    if cost.tuning_at_target:
        cells = _cells(cost, cost.tuning_at_target, (study.target_at,), None)
        rows.append((AT_TARGET, *cells))
    columns = ("stage", "trials", AXIS_LABELS[study.axis].plural, *amount_columns(cost))
    out.print(terminal.table(f"{study.name}: plan", (*columns, "time"), rows))
    at = axis_value_text(study.axis, study.target_at)
    for sentence in cost_sentences(cost, at, planned=True):
        say(sentence)
    if text := plan_sentence(study):
        say(f"{text}{_least_note(cost, least)}")
    say(_production_note(study))
    if gate.is_due(study):
        say(_check_note(study))
    say(_plan_notes(study, source))
    if line := attribution(study):
        say(line)


def _cells(
    cost: Cost, amount: Amount, axis_values: Sequence[int], train_s: float | None
) -> tuple[str, ...]:
    n_trials, *cells = amount_cells(cost, amount)
    time = "–" if train_s is None else clock(train_s)
    return n_trials, " ".join(map(str, axis_values)), *cells, time


def _least_note(cost: Cost, least: Cost) -> str:
    """What all trials cost if the first look decides; empty where that is no less."""
    if least.flops >= cost.flops or least.target_flops is None:
        return ""
    return f" Where the first look decides, all trials cost {amount_text(least)}."


def _check_note(study: Study) -> str:
    flops = _check_flops(study)
    if flops is None:
        return "A coordinate check comes first; its cost is not recorded in this run directory."
    widths = " ".join(map(str, gate.widths(study)))
    return f"A coordinate check at widths {widths} comes first: about {flops_text(flops)}."


def _production_note(study: Study) -> str:
    if study.production is None:
        return (
            "The spec names no production run, so no share of one is given; with `production: "
            "{width: …, steps: …, batch_size: …}` it is."
        )
    text = (
        "Counted as in arXiv 2505.15270, parameters × batch × steps, the search alone costs "
        f"{percent_text(estimate.paper_share(study))} of the production run."
    )
    tuning = estimate.tuning_share_at_production(study)
    if tuning is not None:
        text += (
            f" Its {study.search.trials} HP sets trained at width {study.production.width} "
            f"instead, for as long as a trial here, cost {percent_text(tuning)}."
        )
    return text


def _plan_notes(study: Study, source: str | None) -> str:
    refined = " and are refined" if study.transfer.refine else ""
    times = f"Times: one slot, {source}." if source else "No times: no speed was measured."
    return (
        f"Slices may be extended{refined} as results come in, which adds trials; trials that "
        f"diverge end early. {times}"
    )
