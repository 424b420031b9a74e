"""The command `check`: is the spec file correct?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from mutransfer.proxies.errors import DataError
from mutransfer.sweep import spec
from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.live import look_at_data
from mutransfer.sweep.commands.options import (
    SPEC,
    JsonOpt,
    SpecOpt,
    attribution,
    err,
    out,
    say,
    warn,
)
from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.plan.power import MIN_POWER, power_of, power_sentence
from mutransfer.sweep.spec import design, yaml_file
from mutransfer.sweep.spec.study import Study


def check(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="STUDY…", help="Studies to check; by default all.")
    ] = None,
    spec_path: SpecOpt = SPEC,
    no_data: Annotated[
        bool, typer.Option("--no-data", help="Do not look at the data, which may be elsewhere.")
    ] = False,
    json_: JsonOpt = False,
) -> None:
    """Check the spec file and print every fault: its line, the rule, the value, the remedy.

    The data are looked at, where they are. What may not be meant in them, and a study that is valid
    and cannot PASS, is warned of, on stderr; the exit code stays 0. The power of a study, which
    takes seconds, is looked at only where studies are named.

    Example: [dim]mutransfer check[/dim] or [dim]mutransfer check digits-dit --spec my.yaml[/dim]
    """
    checked = spec.read(spec_path, tuple(studies or ()), with_data=not no_data)
    lines = [] if no_data else _look(spec_path, checked)
    for name, study in checked.items():
        for warning in design.warnings(study):
            warn(f"warning: {name}: {warning}")
        chances = power_of(study, {}, pd.DataFrame()) if studies and not no_data else None
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
    for line in lines:
        say(line)


def _look(spec_path: Path, studies: Mapping[str, Study]) -> list[str]:
    """What the data of each study hold; warnings are printed.

    Raises:
        SpecError: data that no trial can train on.
    """
    lines, faults, file = [], [], yaml_file.load(spec_path)
    for name, study in studies.items():
        try:
            found = look_at_data(err, study)
        except DataError as error:
            faults += [file.below(("studies", name), fault) for fault in error.faults]
            continue
        lines += [f"{name}: {line}" for line in found.lines]
        for warning in found.warnings:
            warn(f"warning: {name}: {warning}")
    if faults:
        raise SpecError(faults)
    return lines
