"""Generated specs: changed trees and changed text, read as `check` reads them."""

import io
import random
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.fuzz.outcome import Tally
from benchmarks.fuzz.values import mutated
from ruamel.yaml import YAML

from mutransfer.sweep import spec
from mutransfer.sweep.plan import next_trials
from mutransfer.sweep.spec.yaml_file import parse

ROOT = Path(__file__).parents[2]
CHARACTERS = "\t\n :-#&*!|>'\"%@`{}[],0aµ\x00\x1b"
# Studies that need nothing but this repository.
NAMES = ("digits-dit", "digits-uvit", "digits-dit-batch", "digits-dit-depth")
PLANNED_SHARE = 0.05  # of the valid specs, which are planned as well
MOST_PLANNED = 2000  # trials


@cache
def shipped() -> dict[str, Any]:
    """The studies of this repository."""
    studies: dict[str, Any] = YAML(typ="safe").load((ROOT / "sweeps.yaml").read_text())["studies"]
    return studies


def texts(rng: random.Random) -> str:
    """One generated spec."""
    name = rng.choice(NAMES)
    tree = {"version": 1, "studies": {name: shipped()[name]}}
    buffer = io.StringIO()
    try:
        YAML(typ="safe").dump(mutated(tree, rng, rng.randrange(0, 4)), buffer)
    except ValueError:  # a value that YAML cannot write
        return ""
    text = buffer.getvalue()
    for _ in range(rng.choice((0, 0, 1, 3))):
        i = rng.randrange(len(text) + 1)
        text = text[:i] + rng.choice(CHARACTERS) + text[i + rng.randrange(2) :]
    return text


def fuzz(n: int, seed: int, tally: Tally) -> None:
    """Read ``n`` generated specs; plan some of the valid ones."""
    for i in range(n):
        rng = random.Random(f"{seed}-{i}")
        text = texts(rng)
        name = f"spec {seed}-{i}"
        studies = tally.add(name, lambda text=text: spec.read_file(parse(text, "fuzz.yaml")))
        for study in (studies or {}).values():
            small = study.search.trials * study.transfer.points <= MOST_PLANNED
            if small and rng.random() < PLANNED_SHARE:
                tally.add(f"{name}, planned", lambda study=study: next_trials.nominal(study))
