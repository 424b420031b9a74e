"""Files that are set aside: moved to `set-aside/` in the run directory, and never deleted."""

from typing import Any

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.store.study_file import now

FOLDER = "set-aside"
LOG = "set-aside.json"  # {"files": [{"at", "path", "to", "why"}]}


def move(store: Store, path: str, why: str) -> str:
    """Move a file of the run directory, which may be missing; returns where it is now."""
    n = len(store.listing(FOLDER))
    to = f"{n:04d}-{path.replace('/', '-')}"
    entry = {"at": now(), "path": path, "to": f"{FOLDER}/{to}", "why": why}
    entries = _entries(store)
    store.write_json({"files": [*entries, entry]}, LOG)
    if store.exists(*path.split("/")):
        store.move(tuple(path.split("/")), (FOLDER, to))
    return f"{FOLDER}/{to}"


def move_trial(store: Store, trial_id: str, why: str) -> None:
    """Move a trial's row and curve, so that it runs again."""
    for folder in ("trials", "curves"):
        if store.exists(folder, f"{trial_id}.parquet"):
            move(store, f"{folder}/{trial_id}.parquet", why)


def trial_ids(store: Store) -> set[str]:
    """The trials that were set aside at some time."""
    paths = [str(entry.get("path")) for entry in _entries(store)]
    return {p.removeprefix("trials/").removesuffix(".parquet") for p in paths if "trials/" in p}


def decisions(store: Store) -> set[str]:
    """The decisions that were set aside at some time."""
    paths = [str(entry.get("path")) for entry in _entries(store)]
    return {p.removeprefix("decisions/").removesuffix(".json") for p in paths if "decisions/" in p}


def _entries(store: Store) -> list[dict[str, Any]]:
    """The entries of the log; a damaged log is begun anew."""
    try:
        files = store.read_json(LOG).get("files") if store.exists(LOG) else []
    except UserError:
        files = []
    return [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
