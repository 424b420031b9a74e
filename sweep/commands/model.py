"""The commands about a study's model, before it is swept: `coordcheck` and `roles`."""

import math
from typing import Any

import typer
from rich.table import Table

from mutransfer.proxies import mup, training
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.console import PlainConsole
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
from mutransfer.sweep.plan.request import trial
from mutransfer.sweep.run import gate
from mutransfer.sweep.store import rundir

MIN_COLUMNS = 132  # characters that the table of the coordinate check needs
COLUMNS = ("size", "of", "role", "μP slope", "95 % interval", "μP", "SP slope", "SP")


def coordcheck(
    name: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Check that the sizes of activations and updates do not depend on width under μP.

    Trains each width for a few steps under μP and, as a control, under SP;
    writes coordcheck.json and plots into the run directory. Exit code 1: the
    check did not pass.

    Example: [dim]mutransfer coordcheck digits-dit[/dim]
    """
    study, store = rundir.find_to_train(name, spec_path, runs)
    store.require_writable()
    result = gate.measure(study, (lambda line: None) if json_ else say)
    content = gate.write(study, store, result)
    if json_:
        terminal.as_json(content)
    else:
        _print_wide(terminal.table(f"{study.name}: last step", COLUMNS, _rows(content)))
        say(gate.result_text(study.name, content))
        say(f"plots: {store.path('plots')}/coordcheck_*.png")
    if content["verdict"] != "PASS":
        raise typer.Exit(terminal.EXIT_FAILED)


def _rows(content: dict[str, Any]) -> list[tuple[object, ...]]:
    """The trend of every series at its last step, μP beside SP."""
    last: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for trend in content["trends"]:
        last.setdefault((trend["kind"], trend["name"]), {})[trend["arm"]] = trend
    rows = []
    for (kind, name), by_arm in last.items():
        mup_, sp = by_arm.get("mup"), by_arm.get("sp")
        mup_cells = (None, None, None) if mup_ is None else _mup_cells(mup_)
        sp_cells = (None, None) if sp is None else (f"{sp['slope']:+.2f}", sp["word"])
        role = (mup_ or sp or {}).get("role")
        rows.append((kind, name, role, *mup_cells, *sp_cells))
    return rows


def _mup_cells(trend: dict[str, Any]) -> tuple[object, ...]:
    interval = f"{trend['low']:+.2f} … {trend['high']:+.2f}"
    return f"{trend['slope']:+.2f}", interval, trend["word"]


def roles(
    name: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Print the μP role of every parameter and the multipliers that follow from it.

    The model is that of the study's target.

    Example: [dim]mutransfer roles digits-dit[/dim]
    """
    study, _ = rundir.find(name, spec_path, runs)
    hps = {name: distribution.middle for name, distribution in study.parameters.items()}
    config = trial(study, axis_value=study.target_at, arm="mup", hps=hps, seed=0)
    rows = mup.table(training.plan(config))
    if json_:
        terminal.as_json(rows)
        return
    columns = (
        "parameter",
        "role",
        "shape",
        "init std",
        "own init",
        "LR ×",
        "WD ×",
        "input ×",
        "decay",
    )
    cells = [
        (
            row["name"],
            row["role"],
            "×".join(map(str, row["shape"])) or "1",
            "kept" if row["init_std"] is None else f"{row['init_std']:.4g}",
            _own_init(row),
            f"{row['lr_mult']:.4g}",
            f"{row['wd_mult']:.4g}",
            f"{row['input_mult']:.4g}",
            "yes" if row["decay"] else "no",
        )
        for row in rows
    ]
    title = f"{study.name}: roles at width {config.width} (base width {config.base_width})"
    _print_wide(terminal.table(title, columns, cells))


def _own_init(row: dict[str, Any]) -> str:
    """How the module draws the tensor, and by what factor `mup.init_` then scales it."""
    if row["init_std"] is None or row["own_std"] is None:
        return str(row["own_init"])
    factor = row["init_std"] / row["own_std"]
    is_kept = math.isclose(factor, 1.0, rel_tol=1e-9)
    return str(row["own_init"]) if is_kept else f"{row['own_init']} × {factor:.4g}"


def _print_wide(table: Table) -> None:
    """Print a table without wrapping names, even where the terminal is narrow."""
    PlainConsole(width=max(out.width, MIN_COLUMNS)).print(table)
