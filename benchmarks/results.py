"""The README's results of a finished study, as Markdown.

First `mutransfer run digits-dit-full`, then `python benchmarks/results.py runs/digits-dit-full`.
"""

import argparse
from pathlib import Path

from analysis import rows
from analysis.verdict import Verdict
from sweep import rundir
from sweep.analyze import Analysis, analyze, run_info
from sweep.spec import Study
from sweep.store import Store


def main() -> None:
    """Print verdict, optima, drift and cost of the run directory on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_directory")
    folder = parser.parse_args().run_directory
    study, store = rundir.find_run(str(Path(folder).absolute()), Path("sweeps.yaml"), "runs")
    print(results(study, store, analyze(study, store)))


def results(study: Study, store: Store, found: Analysis) -> str:
    """The section's text: one paragraph of provenance, the verdict, three tables."""
    info = run_info(study, store)
    seconds = found.table["train_s"].sum()
    counts = ", ".join(f"{n} {word}" for word, n in found.verdict.counts.items())
    head = (
        f"`{study.name}`: {counts} trials of {study.train.steps} steps, "
        f"{study.transfer.seeds} seeds, {seconds / 60:.0f} minutes of training on one core; "
        f"commit `{info['commit'][:10]}`, {info['started'][:10]}, {info['versions']}."
    )
    parts = [head, f"> {found.verdict.sentence}", *_tables(found.verdict)]
    return "\n\n".join(parts)


def _tables(verdict: Verdict) -> list[str]:
    tables = [
        rows.columns_of(rows.optima_table(verdict), rows.SHORT_OPTIMA),
        rows.drift_table(verdict),
        rows.causes_table(verdict),
        rows.cost_table(verdict.cost),
    ]
    return [markdown(table) for table in tables if table.rows]


def markdown(table: rows.TextTable) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
