"""The command `doctor`: what is damaged, edited, lost or strange in a run directory; its repair."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import (
    RUNS,
    SPEC,
    CodeOpt,
    JsonOpt,
    RunsOpt,
    SpecOpt,
    StudyArg,
    code_choice,
    out,
    say,
)
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.run.driver import State
from mutransfer.sweep.spec import Study, read, require_name
from mutransfer.sweep.store import code, integrity, repair, rundir, study_file
from mutransfer.sweep.store.checksums import of_decision
from mutransfer.sweep.store.integrity import Finding
from mutransfer.sweep.store.store import STUDY_FILE, Store


def doctor(
    name: StudyArg,
    spec_path: SpecOpt = SPEC,
    runs: RunsOpt = RUNS,
    repair_: Annotated[
        bool,
        typer.Option("--repair", help="Set damaged files aside, so that `run` makes them again."),
    ] = False,
    code_: CodeOpt = None,
    json_: JsonOpt = False,
) -> None:
    """Name all that is damaged, edited, lost or strange in a run directory; repair it.

    Nothing is deleted: files are moved to `set-aside/` there. Exit code 1: something is wrong.

    Example: [dim]mutransfer doctor digits-dit --repair[/dim]
    """
    store = _store(name, spec_path, runs)
    if repair_:
        with store.lock():
            for line in _repaired(store, name, spec_path, code_choice(code_)):
                say(line)
    findings = integrity.look(store)
    several = _codes(store)
    wrong = [f for f in findings if f.kind != "ignored"]
    if json_:
        terminal.as_json({"run_directory": store.root, "findings": [vars(f) for f in findings],
                          "codes": [{"code": c.code, "trials": len(c.trial_ids)}
                                    for c in several]})  # fmt: skip
    else:
        _print(store, findings, several)
    if wrong or len(several) > 1:
        raise typer.Exit(terminal.EXIT_FAILED)


def _store(name: str, spec_path: Path, runs: str) -> Store:
    """The run directory, whose study.json may be damaged or lost."""
    for location in (f"{runs.rstrip('/')}/{name}", name):
        store = Store(location)
        if any(store.exists(part) for part in (STUDY_FILE, "trials", "decisions")):
            return store
    if "/" not in name:
        require_name(spec_path, name)
    raise UserError(f"{name}: no run directory there; nothing was run yet")


def _repaired(
    store: Store, name: str, spec_path: Path, choice: code.Choice | None
) -> Sequence[str]:
    """Repair the run directory; what was done, a line each."""
    findings = integrity.look(store)
    is_damaged = any(finding.path == STUDY_FILE for finding in findings)
    study = _of_spec(name, spec_path) if is_damaged else None
    attested = _attested(store)
    lines = [*repair.files(store, findings, study), *repair.trials(store, findings)]
    if is_damaged and study is None:
        lines.append(f"{STUDY_FILE}: restore it, or repair by name: `mutransfer doctor STUDY`")
        return lines
    if choice is not None:
        lines += repair.one_code(store, choice)
    return lines + _derived(store, attested)


def _of_spec(name: str, spec_path: Path) -> Study | None:
    """The study of the user's spec; None for a run directory that is named by its path."""
    return read(spec_path, (name,))[name] if "/" not in name and spec_path.exists() else None


def _attested(store: Store) -> dict[str, str]:
    """The digest of each decision, as the rows have it that were written beside it."""
    intact, _ = store.intact_parts()
    return {n: d for part in intact.values() if part.beside
            for n, d in part.beside.decisions.items()}  # fmt: skip


def _derived(store: Store, attested: dict[str, str]) -> list[str]:
    """Derive missing decisions again, as far as the rows that are there allow."""
    before = set(store.names("decisions", ".json"))
    study, _ = rundir.find_run(store.location, SPEC, RUNS)
    if len(_codes(store)) > 1:
        return []
    State.load(study, store)
    lines = []
    for name in sorted(set(store.names("decisions", ".json")) - before):
        same = attested.get(name) in (None, of_decision(store.decision(name)))
        text = "as it was" if same else "it differs from the one that is lost"
        lines.append(f"decision {name}: derived again, {text}")
    return lines


def _codes(store: Store) -> list[code.CodeRows]:
    with contextlib.suppress(UserError, FileNotFoundError):
        return code.codes(study_file.read(store), store)
    return []


def _print(store: Store, findings: Sequence[Finding], several: Sequence[code.CodeRows]) -> None:
    for kind, title in TITLES.items():
        rows = [(finding.path, finding.text) for finding in findings if finding.kind == kind]
        if rows:
            out.print(terminal.table(title, ("file", "what is wrong"), rows))
    if len(several) > 1:
        rows = [(c.code, str(len(c.trial_ids))) for c in several]
        out.print(terminal.table("two codes in one table", ("code", "trials"), rows))
        say("--repair --code newer (or older) sets the others aside.")
    wrong = sum(finding.kind != "ignored" for finding in findings)
    text = f"{wrong} faults; --repair mends them" if wrong else "sound"
    say(f"{store.root}: {text}")


TITLES = {
    "file": "damaged files",
    "decision": "damaged decisions, which are derived again",
    "trial": "damaged trials, which run again",
    "ignored": "strange files, which are ignored",
}
