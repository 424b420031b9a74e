"""The user's own code as part of a run directory: one code, one table.

Another code is noticed before any trial starts, told with the files that changed, and is either
another run directory or declared harmless by the user (`run --same-code`). Earlier versions let a
second code into a table; such a table is judged by the newer or the older one, by choice.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mutransfer.proxies import user_code
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.proxies.training.identity import RESULT_SCHEMA
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.spec import Study
from mutransfer.sweep.store import study_file
from mutransfer.sweep.store.checksums import digest
from mutransfer.sweep.store.store import STUDY_FILE, Store

Choice = Literal["newer", "older"]
CHOICES: tuple[Choice, ...] = ("newer", "older")
OWN_CODE = "the study's own code"  # the path of a change in a history
MAX_FILES = 5  # named in a message


@dataclass(frozen=True, kw_only=True)
class CodeRows:
    """The rows of one code in a table that holds several."""

    code: str
    trial_ids: frozenset[str]


def files(study: Study) -> dict[str, str]:
    """The digest of every file of the study's own code."""
    command = study.trial.command if study.trial else None
    return user_code.source_files(study.references, command)


def named_by_run_directory(store: Store, study: Study, *, same_code: bool = False) -> Study:
    """The study, whose trials have the identities that they have in its run directory.

    Args:
        store: The run directory; nothing is compared where it has no study yet.
        study: A study of the user's spec.
        same_code: Take the code as it is now for the code that the run directory began with.

    Raises:
        UserError: the run directory began with another code, its table holds two, or it is of a
            version of mutransfer whose trials compute something else.
    """
    if not store.exists(STUDY_FILE):
        return study
    content = study_file.read(store)
    _require_result_schema(store, content)
    facts = study_file.known_facts(content)
    if facts is None or not study.code_names:
        return study
    several = codes(content, store)
    if len(several) > 1:
        raise UserError(_several_text(store, several) + _set_aside_text(store))
    began_with = several[0].code if several else facts.code
    if not same_code and not _is_same(study, facts, began_with, content):
        raise UserError(
            f"{store.root}: began with another code of '{study.name}': "
            f"{changed_text(facts.code_files, files(study))}\nOne table holds one code. Restore "
            "it, give the study another name or another --runs, or, if the change cannot alter a "
            "result (a comment, a log line), continue with `--same-code`."
        )
    return dataclasses.replace(study, code=began_with)


def _require_result_schema(store: Store, content: Mapping[str, Any]) -> None:
    if (theirs := content.get("result_schema", 1)) != RESULT_SCHEMA:
        raise UserError(
            f"{store.root}: was started by a version of mutransfer whose trials compute something "
            f"else (result schema {theirs}; this one has {RESULT_SCHEMA}); finish it with that "
            "version, or run the study again with another --runs"
        )


def _is_same(
    study: Study, facts: Recorded, began_with: str | None, content: Mapping[str, Any]
) -> bool:
    now = files(study)
    if digest(now) in content.get("same_code", []):
        return True
    if facts.code_files is not None and began_with == facts.code:
        return dict(facts.code_files) == now
    return user_code.source_digest(study.references) == began_with if study.references else True


def changed_text(was: Mapping[str, str] | None, now: Mapping[str, str]) -> str:
    """What changed between two codes, by file."""
    if was is None:
        return "an earlier version recorded no files to compare"
    kinds = {
        "changed": [n for n in now if n in was and was[n] != now[n]],
        "new": [n for n in now if n not in was],
        "gone": [n for n in was if n not in now],
    }
    parts = [f"{kind}: {_few(names)}" for kind, names in kinds.items() if names]
    return "; ".join(parts) or "the same files, elsewhere"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_FILES} more" if len(names) > MAX_FILES else ""
    return ", ".join(names[:MAX_FILES]) + more


def codes(content: Mapping[str, Any], store: Store) -> list[CodeRows]:
    """The codes that have rows in a table, oldest first; none where no second code was let in.

    The history of a run directory of an earlier version has the time of each change of code, and a
    row the time of its start.
    """
    facts = study_file.known_facts(content)
    changes = _changes(content)
    if facts is None or facts.code is None or not changes:
        return []
    table = store.table()
    times = [at for at, _, _ in changes]
    by_period = [changes[0][1], *(now for _, _, now in changes)]
    started = table["started_at"].fillna("")
    period = started.map(lambda at: sum(at >= time for time in times))
    ids: dict[str, set[str]] = {}
    for trial_id, n in zip(table["trial_id"], period, strict=True):
        ids.setdefault(by_period[n], set()).add(trial_id)
    ordered = [code for code in dict.fromkeys(by_period) if code in ids]
    return [CodeRows(code=code, trial_ids=frozenset(ids[code])) for code in ordered]


def _changes(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(time, code before, code after) of each change that let another code into the table."""
    found = []
    history = content.get("history")
    for entry in history if isinstance(history, list) else []:
        changed = entry.get("changed", []) if isinstance(entry, dict) else []
        for change in changed if isinstance(changed, list) else []:
            if isinstance(change, dict) and change.get("path") == OWN_CODE:
                was, now = str(change.get("was")), str(change.get("now"))
                found.append((str(entry.get("at")), was, now))
    return sorted(found)


def of_choice(store: Store, study: Study, choice: Choice | None) -> tuple[Study, Store]:
    """The study and its run directory with the rows of one code alone.

    Raises:
        UserError: the table holds several codes, and none was chosen.
    """
    several = codes(study_file.read(store), store)
    if len(several) < 2:
        return study, store
    if choice is None:
        raise UserError(
            _several_text(store, several)
            + "\nJudge it by one of them: `--code newer` or `--code older`."
            + _set_aside_text(store)
        )
    chosen = several[-1] if choice == "newer" else several[0]
    hidden = frozenset().union(*(c.trial_ids for c in several)) - chosen.trial_ids
    if study.recorded is not None:
        study = dataclasses.replace(
            study, recorded=dataclasses.replace(study.recorded, code=chosen.code)
        )
    return study, Store(store.location, hidden)


def _several_text(store: Store, several: Sequence[CodeRows]) -> str:
    counts = ", then ".join(f"{len(c.trial_ids)} trials of {c.code}" for c in several)
    return f"{store.root}: its table holds {len(several)} codes of the user's: {counts}."


def _set_aside_text(store: Store) -> str:
    return (
        f"\n`mutransfer doctor {store.location} --repair --code newer` (or older) sets the others "
        "aside."
    )
