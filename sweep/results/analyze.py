"""From a run directory to verdict.json, plots/ and report.html."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mutransfer.analysis.figures.convergence import ConvergenceInfo, convergence_info
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.files import report_files
from mutransfer.analysis.table.unlearned import unlearnable
from mutransfer.analysis.transfer.speed_up import ConvergenceResult, compare_convergence
from mutransfer.analysis.verdict.evidence import Fits, gather
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan import convergence, progress
from mutransfer.sweep.plan.question import study_question
from mutransfer.sweep.results.cost import spent
from mutransfer.sweep.run import gate
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.samples import gallery
from mutransfer.sweep.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A verdict with the question, the fitted slices and the table that it rests on."""

    verdict: Verdict
    question: TransferQuestion
    fits: Mapping[str, Fits]
    table: pd.DataFrame


def analyze(study: Study, store: Store) -> Analysis:
    """The verdict on the trials of a study that have ended.

    Raises:
        UserError: the search has not finished, so there is nothing to judge yet.
    """
    question = study_question(study, store.decisions())
    if question is None:
        raise UserError(
            f"{store.root}: the search has not finished, so there are no slices to judge; go on "
            f"with `mutransfer run {study.name}`"
        )
    return _judged(study, store, store.table(), question)


def _judged(
    study: Study, store: Store, table: pd.DataFrame, question: TransferQuestion
) -> Analysis:
    fits = gather(table, question)
    verdict = judge(table, question, fits=fits, cost=spent(study, store, table))
    return Analysis(verdict=verdict, question=question, fits=fits, table=table)


def report_inputs(study: Study, store: Store) -> ReportInputs:
    """All that the report shows of a study, finished or under way.

    Raises:
        UserError: no trial has ended yet.
    """
    table, decisions = store.table(), store.decisions()
    if table.empty:
        raise UserError(
            f"{store.root}: no trial has ended yet, so there is nothing to show; go on with "
            f"`mutransfer run {study.name}`"
        )
    question = study_question(study, decisions)
    analysis = _judged(study, store, table, question) if question else None
    comparison, curves = _convergence(study, store, decisions, table)
    return ReportInputs(
        run_info=run_info(study, store),
        df=table,
        search_at=study.search_at,
        target_at=study.target_at,
        cost=analysis.verdict.cost if analysis else spent(study, store, table),
        axis=study.axis,
        verdict=analysis.verdict if analysis else None,
        question=question,
        fits=analysis.fits if analysis else {},
        progress=progress.progress(study, decisions, table),
        gallery=gallery(table, store, study.axis),
        check=gate.stored_check(store),
        check_text=gate.stored_text(study, store) or "",
        convergence=comparison,
        convergence_info=curves,
        notes=tuple(filter(None, [unlearnable(table)])),
    )


def _convergence(
    study: Study, store: Store, decisions: Mapping[str, Any], table: pd.DataFrame
) -> tuple[ConvergenceResult | None, ConvergenceInfo | None]:
    """The comparison of convergence and its curves; None where the study has none."""
    comparison = convergence.comparison(study, decisions)
    if comparison is None:
        return None, None
    curves = store.curves()
    result = compare_convergence(table, curves, comparison)
    return result, convergence_info(table, curves, result)


def write(inputs: ReportInputs, store: Store) -> list[str]:
    """Write plots/, verdict.json and report.html into the run directory; their paths."""
    files = report_files(inputs)
    for name, content in files.items():
        store.write(content, *name.split("/"))
    return [store.path(*name.split("/")) for name in files]


def run_info(study: Study, store: Store) -> dict[str, Any]:
    """Where a report comes from, and the command that reproduces it."""
    provenance = rundir.provenance(store)
    hosts = sorted(set(store.table()["host"].dropna()))
    return {
        "study": study.name,
        "mutransfer": provenance["versions"]["mutransfer"],
        "commit": provenance["commit"] or "unknown",
        "started": provenance["written_at"],
        "extended": "; ".join(
            f"{change['path']} from {change['was']} to {change['now']} at {entry['at']}"
            for entry in provenance["history"]
            for change in entry["changed"]
        )
        or "no",
        "versions": ", ".join(f"{name} {n}" for name, n in provenance["versions"].items()),
        "hosts": ", ".join(hosts),
        "command": f"mutransfer run {study.name}; mutransfer analyze {study.name}",
    }
