"""The commands that look at a study's model before it is swept: `coordcheck` and `roles`."""

import typer
from rich.console import Console
from rich.table import Table

from mutransfer.proxies import mup, training
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, out
from mutransfer.sweep.plan.request import trial as trial_of
from mutransfer.sweep.run import gate
from mutransfer.sweep.store import rundir


def coordcheck(
    study: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Check that sizes of activations and updates don't depend on width. Exit code 1: they do.

    Trains every width for a few steps under μP and, as a control, under SP; writes
    coordcheck.json and plots into the run directory.

    [dim]mutransfer coordcheck digits-dit[/dim]
    """
    found, store = rundir.find(study, spec_path, runs)
    tell = (lambda line: None) if json_ else _say
    held = gate.write(found, store, gate.measure(found, tell))
    if json_:
        terminal.as_json(held)
    else:
        shown = terminal.table(f"{found.name}: last step", COLUMNS, _rows(held))
        _show(shown)
        _say(gate.message(found.name, held))
        _say(f"plots: {store.path('plots')}/coordcheck_*.png")
    if held["verdict"] != "PASS":
        raise typer.Exit(terminal.EXIT_FAILED)


WIDE = 132
COLUMNS = ("size", "of", "role", "μP slope", "95 % interval", "μP", "SP slope", "SP")


def _rows(held: dict[str, object]) -> list[tuple[object, ...]]:
    """The trend of every series at its last step, μP beside SP."""
    last: dict[tuple[str, str], dict[str, dict[str, object]]] = {}
    for trend in held["trends"]:  # type: ignore[attr-defined]
        last.setdefault((trend["kind"], trend["name"]), {})[trend["arm"]] = trend
    rows = []
    for (kind, name), by_arm in last.items():
        mup_, sp = by_arm.get("mup"), by_arm.get("sp")
        own = (None, None, None) if mup_ is None else _words(mup_)
        other = (None, None) if sp is None else (f"{sp['slope']:+.2f}", sp["word"])
        role = (mup_ or sp or {}).get("role")
        rows.append((kind, name, role, *own, *other))
    return rows


def _words(trend: dict[str, object]) -> tuple[object, ...]:
    interval = f"{trend['low']:+.2f} … {trend['high']:+.2f}"
    return f"{trend['slope']:+.2f}", interval, trend["word"]


def roles(
    study: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Print the role of every parameter and what follows from it, for a person to check.

    The table is of the target, at base HPs.

    [dim]mutransfer roles digits-dit[/dim]
    """
    found, _ = rundir.find(study, spec_path, runs)
    hps = {name: distribution.middle for name, distribution in found.parameters.items()}
    config = trial_of(found, axis_value=found.target_at, arm="mup", hps=hps, seed=0)
    rows = mup.table(training.plan(config))
    if json_:
        terminal.as_json(rows)
        return
    columns = ("parameter", "role", "shape", "init std", "LR ×", "WD ×", "input ×", "decay")
    shown = [
        (
            row["name"],
            row["role"],
            "×".join(map(str, row["shape"])) or "1",
            "kept" if row["init_std"] is None else f"{row['init_std']:.4g}",
            f"{row['lr_mult']:.4g}",
            f"{row['wd_mult']:.4g}",
            f"{row['input_mult']:.4g}",
            "yes" if row["decay"] else "no",
        )
        for row in rows
    ]
    title = f"{found.name}: roles at width {config.width} (base width {config.base_width})"
    _show(terminal.table(title, columns, shown))


def _show(table: Table) -> None:
    """Print a table with whole names, also where lines of the terminal are short."""
    Console(width=max(out.width, WIDE)).print(table)


def _say(line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)
