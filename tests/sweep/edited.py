"""Files of a run directory that are changed on purpose, with the checksums that belong to them."""

import json
from collections.abc import Callable
from pathlib import Path

from mutransfer.proxies.training.identity import RESULT_SCHEMA
from mutransfer.sweep.store.checksums import CHECKSUM, SEAL, seal, with_checksum


def edit(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file as its writer would: seal and checksum are those of the new content."""
    content = json.loads(path.read_text())
    content.pop(CHECKSUM, None)
    change(content)
    if SEAL in content and isinstance(content.get("spec"), dict):
        content[SEAL] = seal(content["spec"])
    path.write_text(json.dumps(with_checksum(content)))


def edit_badly(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file as an editor does."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def make_old(folder: Path) -> None:
    """Make study.json one of an earlier version whose trials compute the same, without seal."""
    for path in [folder / "study.json", *(folder / "decisions").glob("*.json")]:
        content = json.loads(path.read_text())
        for key in (CHECKSUM, SEAL, "same_code"):
            content.pop(key, None)
        if path.name == "study.json":
            content |= {"format": 1, "result_schema": RESULT_SCHEMA}
        path.write_text(json.dumps(content))
