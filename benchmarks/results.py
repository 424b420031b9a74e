"""The README's results of finished studies, as Markdown: one in full, several in a line each.

First `mutransfer run digits-dit-full`, then `python benchmarks/results.py runs/digits-dit-full`;
first `make studies`, then `python benchmarks/results.py runs/digits-uvit runs/emoji-*`;
first `make axes`, then the same on runs/digits-dit-batch, runs/digits-dit-steps and so on.
"""

import argparse
from pathlib import Path

from mutransfer.analysis import text_table
from mutransfer.analysis.reporting import tables
from mutransfer.analysis.reporting.cost import cost_table
from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.transfer.drift import Contrast, Drift
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.sweep.results.analyze import Analysis, analyze, run_info
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store

LINE = text_table.TextTable(
    "Studies",
    ("study", "family", "trials", "training, core-min", "μP drift", "SP drift", "regret of lr",
     "tolerance", "verdict", "date, commit"),
    (),
)  # fmt: skip
AXIS_LINE = text_table.TextTable(
    "Studies along another axis",
    ("study", "search → target", "trials", "training, core-min", "rule", "drift with the rule",
     "drift without", "difference", "best loss at the last shared axis value, with : without",
     "regret of lr at the target", "tolerance", "verdict", "date, commit"),
    (),
)  # fmt: skip


def main() -> None:
    """Print verdict, optima, drift and cost of one run directory, or a line for each of several."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_directory", nargs="+")
    runs = [
        rundir.find_run(str(Path(folder).absolute()), Path("sweeps.yaml"), "runs")
        for folder in parser.parse_args().run_directory
    ]
    if len(runs) == 1:
        print(results(*runs[0], analyze(*runs[0])))
        return
    along_width = [(study, store) for study, store in runs if study.axis == "width"]
    other = [(study, store) for study, store in runs if study.axis != "width"]
    if along_width:
        lines = tuple(line(*run, analyze(*run)) for run in along_width)
        print(markdown(LINE._replace(rows=lines)))
    if other:
        lines = tuple(axis_line(*run, analyze(*run)) for run in other)
        print(markdown(AXIS_LINE._replace(rows=lines)))


def line(study: Study, store: Store, analysis: Analysis) -> tuple[str, ...]:
    """One study in a line: drift in octaves per doubling of width, regret as its bounds."""
    info, lr = run_info(study, store), analysis.verdict.of_hp("lr")
    return (
        f"`{study.name}`",
        study.model.family,
        str(len(analysis.table)),
        f"{analysis.table['train_s'].sum() / 60:.0f}",
        _drift(lr.drift_mup),
        _drift(lr.drift_sp),
        _regret(lr),
        text_table.number(analysis.verdict.set.tolerance_loss),
        analysis.verdict.verdict,
        f"{info['started'][:10]}, `{info['commit'][:7]}`",
    )


def axis_line(study: Study, store: Store, analysis: Analysis) -> tuple[str, ...]:
    """One study along another axis: drift in octaves per doubling, with its rule and without."""
    info, lr = run_info(study, store), analysis.verdict.of_hp("lr")
    ends = f"{study.search_at} → {study.target_at}"
    return (
        f"`{study.name}`",
        f"{AXIS_LABELS[study.axis].singular} {ends}",
        str(len(analysis.table)),
        f"{analysis.table['train_s'].sum() / 60:.0f}",
        analysis.verdict.rule or "none",
        _drift(lr.drift_mup),
        _drift(lr.drift_sp),
        "–" if lr.contrast is None else _interval(lr.contrast),
        " : ".join(_best_loss(lr, arm) for arm in ("mup", "unscaled")),
        _regret(lr),
        text_table.number(analysis.verdict.set.tolerance_loss),
        analysis.verdict.verdict,
        f"{info['started'][:10]}, `{info['commit'][:7]}`",
    )


def _best_loss(lr: HPVerdict, arm: str) -> str:
    """The fitted best loss of an arm at the last axis value of its ladder."""
    losses = [optimum.loss for optimum in lr.optima if optimum.arm == arm]
    return text_table.number(losses[-1]) if losses else "–"


def _regret(lr: HPVerdict) -> str:
    if lr.regret is None:
        return "–"
    return f"{text_table.number(lr.regret.lower)} … {text_table.number(lr.regret.upper)}"


def _drift(drift: Drift | None) -> str:
    if drift is None or drift.estimate is None:
        return "–" if drift is None else f"– ({drift.n_axis_values} bracketed)"
    return _interval(drift)


def _interval(figure: Drift | Contrast) -> str:
    if figure.estimate is None:
        return "–"
    ends = ["open" if end is None else f"{end:+.2f}" for end in (figure.low, figure.high)]
    return f"{figure.estimate:+.2f} ({ends[0]} … {ends[1]})"


def results(study: Study, store: Store, analysis: Analysis) -> str:
    """The section's text: one paragraph of provenance, the verdict, three tables."""
    info = run_info(study, store)
    seconds = analysis.table["train_s"].sum()
    counts = ", ".join(f"{n} {word}" for word, n in analysis.verdict.counts.items())
    head = (
        f"`{study.name}`: {counts} trials of {study.train.steps} steps, "
        f"{study.transfer.seeds} seeds, {seconds / 60:.0f} minutes of training on one core; "
        f"commit `{info['commit'][:10]}`, {info['started'][:10]}, {info['versions']}."
    )
    parts = [head, f"> {analysis.verdict.sentence}", *_tables(analysis.verdict)]
    return "\n\n".join(parts)


def _tables(verdict: Verdict) -> list[str]:
    chosen = [
        text_table.select_columns(
            tables.optima_table(verdict), tables.short_optima_columns(verdict)
        ),
        tables.drift_table(verdict),
        tables.causes_table(verdict),
        cost_table(verdict.cost),
    ]
    return [markdown(table) for table in chosen if table.rows]


def markdown(table: text_table.TextTable) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
