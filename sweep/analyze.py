"""From a run directory to verdict.json, plots/ and report.html."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import figure_data, figures, report
from analysis.question import Question
from analysis.verdict import Verdict, judge
from sweep import coordcheck, rundir
from sweep.faults import UserError
from sweep.gallery import gallery
from sweep.question import question
from sweep.spec import Study
from sweep.store import Store


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A verdict with what it was asked and the table it rests on."""

    verdict: Verdict
    question: Question
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


def write(found: Analysis, study: Study, store: Store) -> list[str]:
    """Write verdict.json, plots/ and report.html into the run directory; their paths."""
    data = figure_data.figure_data(found.table, found.question, found.verdict)
    drawn = figures.files(figures.all_figures(data))
    files: dict[tuple[str, ...], bytes] = {("plots", n): drawn[n] for n in drawn}
    files[("verdict.json",)] = json.dumps(found.verdict.to_dict(), indent=1).encode()
    page = report.html(
        run_info(study, store),
        found.verdict,
        found.table,
        found.question,
        drawn | coordcheck.plots(store),
        gallery(found.table, store, study.axis),
        coordcheck.told(study, store),
    )
    files[("report.html",)] = page.encode()
    for parts, content in files.items():
        store.write(content, *parts)
    return [store.path(*parts) for parts in files]


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
