"""The command `check`: is the spec file correct?"""

from typing import Annotated

import pandas as pd
import typer

from mutransfer.sweep import spec
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import SPEC, JsonOpt, SpecOpt, attribution, out, warn
from mutransfer.sweep.plan.power import MIN_POWER, power_of, power_sentence
from mutransfer.sweep.spec import design


def check(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="STUDY…", help="Studies to check; by default all.")
    ] = None,
    spec_path: SpecOpt = SPEC,
    json_: JsonOpt = False,
) -> None:
    """Check the spec file and print every fault: its line, the rule, the value, the remedy.

    A study that is valid and cannot PASS is warned of, on stderr; the exit code stays 0. The
    power of a study, which takes seconds, is looked at only where studies are named.

    Example: [dim]mutransfer check[/dim] or [dim]mutransfer check digits-dit --spec my.yaml[/dim]
    """
    checked = spec.read(spec_path, tuple(studies or ()))
    for name, study in checked.items():
        for warning in design.warnings(study):
            warn(f"warning: {name}: {warning}")
        chances = power_of(study, {}, pd.DataFrame()) if studies else None
        if chances is not None and chances.pass_at_0 < MIN_POWER:
            warn(f"warning: {name}: {power_sentence(study, chances)}")
    if json_:
        terminal.as_json({name: study.resolved() for name, study in checked.items()})
        return
    rows = [
        (
            name,
            study.model.family,
            ", ".join(study.transfer.parameters),
            study.axis,
            f"{study.search.trials} at {study.search_at}",
            " ".join(map(str, study.transfer.axis_values)),
            study.target_at,
        )
        for name, study in checked.items()
    ]
    columns = ("study", "family", "sliced", "axis", "search", "ladder", "target")
    out.print(terminal.table(f"{spec_path}: no faults", columns, rows))
    for line in dict.fromkeys(map(attribution, checked.values())):
        if line:
            out.print(line)
