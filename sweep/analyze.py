"""From a run directory to verdict.json, plots/ and report.html."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis import convergence_figure, convergence_rows, figure_data, figures, report
from analysis.convergence import Convergence, converge
from analysis.question import Question
from analysis.verdict import Verdict, judge
from sweep import convergence, coordcheck, rundir
from sweep.faults import UserError
from sweep.gallery import gallery
from sweep.question import question
from sweep.spec import Study
from sweep.store import Store


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A verdict with what it was asked and the table it rests on; convergence where asked for."""

    verdict: Verdict
    question: Question
    table: pd.DataFrame
    convergence: Convergence | None = None

    def to_dict(self) -> dict[str, Any]:
        """The content of verdict.json; convergence stands in it and has no say in the verdict."""
        found = self.convergence
        return {
            **self.verdict.to_dict(),
            **({} if found is None else {"convergence": found.to_dict()}),
        }


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
    compared = convergence.comparison(study, store.decisions())
    return Analysis(
        verdict=verdict,
        question=asked,
        table=table,
        convergence=None if compared is None else converge(table, store.curves(), compared),
    )


def write(found: Analysis, study: Study, store: Store) -> list[str]:
    """Write verdict.json, plots/ and report.html into the run directory; their paths."""
    data = figure_data.figure_data(found.table, found.question, found.verdict)
    drawn = figures.files(figures.all_figures(data) | _convergence_figure(found, store))
    files: dict[tuple[str, ...], bytes] = {("plots", n): drawn[n] for n in drawn}
    files[("verdict.json",)] = json.dumps(found.to_dict(), indent=1).encode()
    page = report.html(
        run_info(study, store),
        found.verdict,
        found.table,
        found.question,
        drawn | coordcheck.plots(store),
        gallery(found.table, store),
        coordcheck.told(study, store),
        None if found.convergence is None else convergence_rows.told(found.convergence),
    )
    files[("report.html",)] = page.encode()
    for parts, content in files.items():
        store.write(content, *parts)
    return [store.path(*parts) for parts in files]


def _convergence_figure(found: Analysis, store: Store) -> dict[str, Figure]:
    if found.convergence is None:
        return {}
    info = convergence_figure.convergence_info(found.table, store.curves(), found.convergence)
    return {} if info is None else {"convergence": convergence_figure.draw(info)}


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
