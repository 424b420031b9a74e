"""What is damaged, edited, lost or strange in a run directory.

Parts have checksums of themselves; rows name the curve, decisions and seal that they were written
beside; decisions name the rows that they rest on. So rows, decisions and spec vouch for each other.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import parts, set_aside, study_file
from mutransfer.sweep.store.checksums import of_decision
from mutransfer.sweep.store.parts import DamagedError, Part
from mutransfer.sweep.store.store import RETRIED_FILE, STUDY_FILE, TRIAL_ID, Store

# What doctor does about a fault: run the trial again; derive the decision again; write the file
# again; nothing, for the file is ignored.
Kind = Literal["trial", "decision", "file", "ignored"]
FOLDERS = {"trials": ".parquet", "curves": ".parquet", "decisions": ".json"}
COORDCHECK_FILE = "coordcheck.json"
# The decisions without which no trial of a stage is asked for.
ASKED_AFTER = {"slices": {"centre"}, "target": {"centre", "transferred"}}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault: the file, what is wrong with it, and of what kind it is."""

    kind: Kind
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"

    @property
    def name(self) -> str:
        """The trial_id or the name of the decision."""
        return self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def look(store: Store) -> list[Finding]:
    """All faults of a run directory."""
    rows, damaged_rows = store.intact_parts()
    decisions, damaged_decisions = intact_decisions(store)
    return [
        *_files(store),
        *damaged_decisions,
        *(_trial(trial_id, text) for trial_id, text in damaged_rows.items()),
        *_curves(store, rows),
        *_beside(store, rows, decisions, {f.name for f in damaged_decisions}),
        *_other_seals(store, rows, decisions),
        *_rests_on(store, rows, decisions),
        *_missing_decisions(rows, decisions, {f.name for f in damaged_decisions}),
        *_strangers(store),
    ]


def require_sound(store: Store) -> None:
    """Return where nothing is wrong that a verdict could rest on, as `refuse`."""
    refuse(store, look(store))


def refuse(store: Store, findings: Sequence[Finding]) -> None:
    """Return where there are no faults.

    Raises:
        UserError: damaged, edited or lost files, by name.
    """
    faults = [finding for finding in findings if finding.kind != "ignored"]
    if faults:
        first = "\n".join(f"    {fault}" for fault in faults[:5])
        more = f"\n    and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise UserError(
            f"{store.root}: damaged or edited:\n{first}{more}\n"
            f"`mutransfer doctor {store.location}` names all; with --repair it sets them aside, "
            "and `mutransfer run` runs their trials again"
        )


def _trial(trial_id: str, text: str) -> Finding:
    return Finding(kind="trial", path=f"trials/{trial_id}.parquet", text=text)


def _decision(name: str, text: str) -> Finding:
    return Finding(kind="decision", path=f"decisions/{name}.json", text=text)


def _seal(store: Store) -> str | None:
    try:
        return store.seal
    except UserError:
        return None


def _files(store: Store) -> Iterator[Finding]:
    """The single files that a command reads."""
    for name in (STUDY_FILE, RETRIED_FILE, COORDCHECK_FILE, set_aside.LOG):
        try:
            if name == STUDY_FILE:
                study_file.read(store)
            elif store.exists(name):
                store.read_json(name)
        except (UserError, FileNotFoundError) as error:
            yield Finding(kind="file", path=name, text=_without_path(store, name, error))


def _without_path(store: Store, name: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return str(error).removeprefix(f"{store.path(name)}: ").split(";")[0]


def intact_decisions(store: Store) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """The decisions by name, and what is wrong with those that are damaged."""
    intact, damaged = {}, []
    for name in store.names("decisions", ".json"):
        path = f"decisions/{name}.json"
        try:
            intact[name], _ = store.sealed_decision(name)
        except UserError as error:
            damaged.append(_decision(name, _without_path(store, path, error)))
    return intact, damaged


def _curves(store: Store, rows: Mapping[str, Part]) -> Iterator[Finding]:
    """Curves that are damaged, lost, or not those that their rows were written beside."""
    for trial_id, part in rows.items():
        expected = part.beside.curve if part.beside else None
        name = f"{trial_id}.parquet"
        if not store.exists("curves", name):
            if expected is not None:
                yield _trial(trial_id, "its curve is missing")
            continue
        try:
            _, checksum = parts.read_curve(store.read_bytes("curves", name), trial_id)
        except (DamagedError, UserError) as error:
            yield _trial(trial_id, f"its curve {error}")
            continue
        if part.beside is not None and checksum != expected:
            yield _trial(trial_id, "its curve is not the one that it was written with")


def _beside(
    store: Store,
    rows: Mapping[str, Part],
    decisions: Mapping[str, Mapping[str, Any]],
    damaged: set[str],
) -> Iterator[Finding]:
    """Decisions that are not those beside which rows were written.

    One that was set aside and derived again may be another, which was said then.
    """
    digests = {name: of_decision(content) for name, content in decisions.items()}
    derived_again = set_aside.decisions(store) & set(digests)
    changed: Counter[str] = Counter()
    for part in rows.values():
        for name, digest in (part.beside.decisions if part.beside else {}).items():
            changed[name] += digests.get(name) != digest
    for name in sorted(+changed):
        if name not in damaged | derived_again:
            what = "is missing; it is one" if name not in digests else "is not the one"
            yield _decision(name, f"{what} that {changed[name]} rows were written beside")


def _other_seals(
    store: Store, rows: Mapping[str, Part], decisions: Mapping[str, Any]
) -> Iterator[Finding]:
    """Rows and decisions of another seal; if most of them are, it is the spec that was changed."""
    seal = _seal(store)
    if seal is None:
        return
    text = "is of a study with another tolerance, target or slices"
    others = [
        _trial(trial_id, text)
        for trial_id, part in rows.items()
        if part.beside and part.beside.seal not in (None, seal)
    ]
    others += [
        _decision(name, text)
        for name in decisions
        if store.sealed_decision(name)[1] not in (None, seal)
    ]
    if 2 * len(others) <= len(rows) + len(decisions):
        yield from others
        return
    text = f"what the verdict rests on is not what it was for {len(others)} rows and decisions"
    yield Finding(kind="file", path=STUDY_FILE, text=text)


def _rests_on(
    store: Store, rows: Mapping[str, Part], decisions: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """Rows that are no longer what a decision rests on.

    A failed trial may have been run again since; a trial that was set aside may have another last
    digit on another machine.
    """
    seen = set_aside.trial_ids(store)
    for name, content in decisions.items():
        rests_on = content.get("rests_on")
        for outcome in rests_on if isinstance(rests_on, list) else []:
            trial_id = str(outcome.get("trial_id")) if isinstance(outcome, dict) else ""
            if trial_id not in rows or trial_id in seen or outcome.get("status") == "failed":
                continue
            row = rows[trial_id].row
            was = outcome.get("status"), outcome.get("val_loss")
            if was != (now := (row.get("status"), row.get("val_loss"))):
                seen.add(trial_id)
                yield _trial(trial_id, f"has {_text(now)}; {name} rests on it with {_text(was)}")


def _text(outcome: tuple[Any, Any]) -> str:
    status, loss = outcome
    return f"{status}" if loss is None else f"{status}, loss {loss}"


def _missing_decisions(
    rows: Mapping[str, Part], decisions: Mapping[str, Any], damaged: set[str]
) -> Iterator[Finding]:
    """Decisions without which rows or later decisions cannot be."""
    known = {*decisions, *damaged}
    needed = set()
    for kind in ("search", "settle"):
        numbers = [int(n[-3:]) for n in known if n.startswith(f"{kind}-") and n[-3:].isdigit()]
        needed |= {f"{kind}-{i:03d}" for i in range(max(numbers, default=-1) + 1)}
    for part in rows.values():
        row = part.row
        if row.get("asked_by") == "search" and row.get("generation") is not None:
            needed.add(f"search-{row['generation']:03d}")
        needed |= ASKED_AFTER.get(str(row.get("asked_by")), set())
    if "transferred" in known:
        needed.add("centre")
    named = {name for part in rows.values() if part.beside for name in part.beside.decisions}
    for name in sorted(needed - known - named):
        yield _decision(name, "is missing: trials that it asked for have rows")


def _strangers(store: Store) -> Iterator[Finding]:
    """Files in the folders of parts that are no parts; nothing reads them."""
    for folder, suffix in FOLDERS.items():
        for name, is_file in store.listing(folder).items():
            if name.startswith("."):
                continue
            is_part = is_file and name.endswith(suffix)
            if suffix == ".parquet":
                is_part = is_part and bool(TRIAL_ID.fullmatch(name.removesuffix(suffix)))
            if not is_part:
                text = "is not of this program, and ignored"
                yield Finding(kind="ignored", path=f"{folder}/{name}", text=text)
