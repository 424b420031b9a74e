"""Run directories of earlier versions, which had no checksums: sealed as they are now."""

import contextlib

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import parts
from mutransfer.sweep.store.checksums import SEAL
from mutransfer.sweep.store.store import RETRIED_FILE, Store

COORDCHECK_FILE = "coordcheck.json"


def seal(store: Store, spec_seal: str) -> int:
    """Give every part and JSON file without a checksum one; returns their number.

    study.json, which says that all files have checksums, is to be written after this.
    """
    n = 0
    for name in store.names("decisions", ".json"):
        if not store.has_checksum("decisions", f"{name}.json"):
            content = store.read_json("decisions", f"{name}.json")
            store.write_json({**content, SEAL: spec_seal}, "decisions", f"{name}.json")
            n += 1
    for name in (RETRIED_FILE, COORDCHECK_FILE):
        if store.exists(name) and not store.has_checksum(name):
            store.write_json(store.read_json(name), name)
            n += 1
    return n + sum(_seal_row(store, trial_id, spec_seal) for trial_id in store.trial_ids())


def _seal_row(store: Store, trial_id: str, spec_seal: str) -> bool:
    """Write a row and its curve again, with checksums, unless they have them."""
    name = f"{trial_id}.parquet"
    try:
        part = parts.read_row(store.read_bytes("trials", name), trial_id)
    except parts.DamagedError:
        return False  # named, and set aside
    if part.beside is not None:
        return False
    curve = None
    with contextlib.suppress(UserError):  # a damaged curve is named later: none is sealed
        if points := store.curve(trial_id):
            content = parts.curve_bytes(trial_id, points)
            store.write(content, "curves", name)
            curve = parts.read_curve(content, trial_id)[1]
    beside = parts.Beside(curve=curve, decisions={}, seal=spec_seal)
    store.write(parts.row_bytes(part.row, beside), "trials", name)
    return True
