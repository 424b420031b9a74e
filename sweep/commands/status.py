"""The command `status`: how far is a study?"""

import dataclasses
from collections.abc import Sequence

import pandas as pd

from mutransfer.analysis.reporting.cost import cost_table, progress_text
from mutransfer.proxies.errors import ConfigError
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import (
    RUNS,
    SPEC,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    StudyArg,
    out,
    say,
)
from mutransfer.sweep.plan.decisions import Decisions
from mutransfer.sweep.plan.progress import progress, repeated_proposals
from mutransfer.sweep.results.cost import spent
from mutransfer.sweep.results.star import looks, star_sentences
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import integrity, rundir
from mutransfer.sweep.store.integrity import Finding
from mutransfer.sweep.store.store import Store, table_of

MAX_FINDINGS = 5  # that are printed


def status(
    name: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Show the number of trials by stage and status, what they cost, and why trials failed.

    Example: [dim]mutransfer status digits-dit[/dim]
    """
    study, store = rundir.find_run(name, spec_path, runs)
    findings = integrity.look(store)
    parts, _ = store.intact_parts()
    table = table_of(parts.values())
    decisions, _ = integrity.intact_decisions(store)
    by_stage = table.groupby(["asked_by", "status"]).size()
    failed = table[table["status"] == "failed"]
    cost = spent(study, store, table)
    flops_left = _flops_left(study, decisions, table)
    if json_:
        terminal.as_json(
            {
                "study": study.name,
                "run_directory": store.root,
                "trials": [
                    {"stage": stage, "status": status_, "n": int(n)}
                    for (stage, status_), n in by_stage.items()
                ],
                "cost": dataclasses.asdict(cost),
                "flops_left": flops_left,
                "decisions": sorted(decisions),
                "looks": looks(decisions),
                "repeated_proposals": repeated_proposals(decisions),
                "findings": [vars(finding) for finding in findings],
                "failed": failed[["trial_id", study.axis, "error"]].to_dict("records"),
            }
        )
        return
    rows = [(stage, status_, int(n)) for (stage, status_), n in by_stage.items()]
    out.print(terminal.table(f"{study.name}: {store.root}", ("stage", "status", "trials"), rows))
    if cost.flops:
        out.print(terminal.table(*cost_table(cost)))
        line = f"cost: {progress_text(cost, flops_left)}"
        out.print(line, highlight=False, markup=False)
    if n := repeated_proposals(decisions):
        out.print(f"{n} proposals of the search repeat earlier ones: no new trials")
    if "centre" in decisions:
        out.print(f"search best: {_hps(decisions['centre']['search_best'])}")
    if "transferred" in decisions:
        transferred = decisions["transferred"]["transferred"]
        out.print(f"transferred set: {_hps(transferred)}")
    for sentence in star_sentences(study, decisions):
        say(sentence)
    errors = failed[["trial_id", study.axis, "error"]].itertuples(index=False)
    if len(failed):
        out.print(terminal.table("failed", ("trial", study.axis, "error"), errors))
    _print_findings(store, findings)


def _print_findings(store: Store, findings: Sequence[Finding]) -> None:
    """What is wrong with the run directory: damaged rows are not among those above."""
    for finding in findings[:MAX_FINDINGS]:
        say(f"{'ignored' if finding.kind == 'ignored' else 'damaged'}: {finding}")
    if findings:
        say(f"`mutransfer doctor {store.location}` names all, and repairs.")


def _flops_left(study: Study, decisions: Decisions, table: pd.DataFrame) -> float | None:
    """FLOPs of the trials that are still to run; None where nobody can tell without the data.

    A run directory may be a stranger's: the code that its spec names is not run.
    """
    if study.references:
        return None
    try:
        return progress(study, decisions, table).flops_left
    except ConfigError:  # the data are gone
        return None


def _hps(hps: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in hps.items())
