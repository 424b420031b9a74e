"""The repair of a run directory: damaged files are set aside, so that they are made again."""

from collections.abc import Iterator, Sequence

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.spec import Study
from mutransfer.sweep.store import checksums, code, rundir, set_aside, study_file
from mutransfer.sweep.store.integrity import Finding
from mutransfer.sweep.store.store import STUDY_FILE, Store


def trials(store: Store, findings: Sequence[Finding]) -> Iterator[str]:
    """Set damaged trials aside, so that they run again; says so of each."""
    for finding in findings:
        if finding.kind == "trial":
            set_aside.move_trial(store, finding.name, finding.text)
            yield f"set aside: {finding}; its trial runs again"


def files(store: Store, findings: Sequence[Finding], study: Study | None) -> Iterator[str]:
    """Set damaged decisions and other files aside; write study.json again.

    Args:
        store: The run directory.
        findings: What is wrong with it.
        study: The study, of the user's spec; None: study.json stays as it is.
    """
    for finding in findings:
        if finding.kind == "decision":
            set_aside.move(store, finding.path, finding.text)
            yield f"set aside: {finding}; it is derived again"
        elif finding.kind == "file" and finding.path != STUDY_FILE:
            set_aside.move(store, finding.path, finding.text)
            yield f"set aside: {finding}"
    if study is not None and any(finding.path == STUDY_FILE for finding in findings):
        yield from _write_study(store, study)


def _write_study(store: Store, study: Study) -> Iterator[str]:
    """Write study.json from the user's spec, whose seal must be that of the rows."""
    wanted = checksums.seal(study.resolved())
    intact, _ = store.intact_parts()
    others = {p.beside.seal for p in intact.values() if p.beside} - {None, wanted}
    if others:
        raise UserError(
            f"{store.root}: the rows are of a study whose tolerance, target or slices differ from "
            f"those of '{study.name}' in the spec; restore that spec, or {STUDY_FILE}"
        )
    if store.exists(STUDY_FILE):
        set_aside.move(store, STUDY_FILE, "damaged")
    rundir.write_again(store, study)
    yield f"{STUDY_FILE}: written again from the spec; its history is lost"


def one_code(store: Store, choice: code.Choice) -> Iterator[str]:
    """Set the rows of the other codes aside, so that the table holds one."""
    content = study_file.read(store)
    several = code.codes(content, store)
    if len(several) < 2:
        return
    kept = several[-1] if choice == "newer" else several[0]
    for other in several:
        if other is not kept:
            for trial_id in sorted(other.trial_ids):
                set_aside.move_trial(store, trial_id, f"of another code ({other.code})")
            yield f"set aside: {len(other.trial_ids)} trials of the code {other.code}"
