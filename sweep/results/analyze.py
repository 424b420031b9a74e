"""From a run directory to verdict.json, plots/ and report.html."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.convergence import ConvergenceInfo, convergence_info
from mutransfer.analysis.reporting import contents, page
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.transfer.speed_up import Convergence, converge
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan import convergence, progress
from mutransfer.sweep.results.question import question
from mutransfer.sweep.run import gate
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.samples import gallery
from mutransfer.sweep.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A verdict with what it was asked and the table it rests on."""

    verdict: Verdict
    question: TransferQuestion
    table: pd.DataFrame


def analyze(study: Study, store: Store) -> Analysis:
    """The verdict on a study as far as it has run.

    Raises:
        UserError: the search is not over, so there is nothing to judge yet.
    """
    asked = question(study, store.decisions())
    if asked is None:
        raise UserError(
            f"{store.root}: the search is not over, so there are no slices to judge; go on with "
            f"`mutransfer run {study.name}`"
        )
    table = store.table()
    verdict = judge(table, asked, target_flops=rundir.target_flops(store, study))
    return Analysis(verdict=verdict, question=asked, table=table)


def material(study: Study, store: Store) -> ReportInputs:
    """All that a report shows on a study, as far as it has run.

    Raises:
        UserError: no trial has ended yet.
    """
    table, decisions = store.table(), store.decisions()
    if table.empty:
        raise UserError(
            f"{store.root}: no trial has ended yet, so there is nothing to show; go on with "
            f"`mutransfer run {study.name}`"
        )
    found = analyze(study, store) if question(study, decisions) else None
    compared, curves = _compared(study, store, decisions, table)
    return ReportInputs(
        run_info=run_info(study, store),
        df=table,
        search_at=study.search_at,
        axis=study.axis,
        verdict=found.verdict if found else None,
        question=found.question if found else None,
        progress=progress.progress(study, decisions, table),
        gallery=gallery(table, store, study.axis),
        check=gate.stored_check(store),
        check_text=gate.told(study, store) or "",
        convergence=compared,
        convergence_info=curves,
    )


def _compared(
    study: Study, store: Store, decisions: dict[str, Any], table: pd.DataFrame
) -> tuple[Convergence | None, ConvergenceInfo | None]:
    """What is known of convergence, with its curves; None where it is not asked for."""
    asked = convergence.comparison(study, decisions)
    if asked is None:
        return None, None
    curves = store.curves()
    found = converge(table, curves, asked)
    return found, convergence_info(table, curves, found)


def write(found: ReportInputs, store: Store) -> list[str]:
    """Write plots/, verdict.json and report.html into the run directory; their paths."""
    made = files(found)
    for name, content in made.items():
        store.write(content, *name.split("/"))
    return [store.path(*name.split("/")) for name in made]


def files(found: ReportInputs) -> dict[str, bytes]:
    """The files of an analysis by path in the run directory, the report last."""
    drawn = canvas.files(contents.of_material(found))
    made = {f"plots/{name}": content for name, content in drawn.items()}
    if found.verdict is not None:
        made["verdict.json"] = json.dumps(as_dict(found), indent=1).encode()
    return made | {"report.html": page.html(found).encode()}


def as_dict(found: ReportInputs) -> dict[str, Any]:
    """The answer as plain data: the verdict, None where there is none yet, and what is missing.

    Convergence stands beside the verdict and has no say in it.
    """
    verdict = found.verdict
    told: dict[str, Any] = {"verdict": None} if verdict is None else verdict.to_dict()
    if found.convergence is not None:
        told["convergence"] = found.convergence.to_dict()
    if found.is_under_way and found.progress:
        told["progress"] = found.progress._asdict()
    return told


def run_info(study: Study, store: Store) -> dict[str, Any]:
    """Where a report comes from, and the command that makes it again."""
    known = rundir.provenance(store)
    hosts = sorted(set(store.table()["host"].dropna()))
    return {
        "study": study.name,
        "mutransfer": known["versions"]["mutransfer"],
        "commit": known["commit"] or "unknown",
        "started": known["written_at"],
        "extended": "; ".join(
            f"{change['path']} from {change['was']} to {change['now']} at {entry['at']}"
            for entry in known["history"]
            for change in entry["changed"]
        )
        or "no",
        "versions": ", ".join(f"{name} {found}" for name, found in known["versions"].items()),
        "hosts": ", ".join(hosts),
        "command": f"mutransfer run {study.name}; mutransfer analyze {study.name}",
    }
