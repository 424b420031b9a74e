"""The first stage of a study: the coordinate check of its model, a gate."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from analysis import coordinate_figures, coordinates, figures
from analysis.coordinates import Check
from proxies import coordcheck
from proxies.config import Arm, HPs, TrialConfig
from proxies.flops import training_flops
from proxies.trial import identity
from sweep import memory, worker
from sweep.ask import hps_of
from sweep.faults import RunError
from sweep.spec import Study
from sweep.store import Store

FILE = "coordcheck.json"
# The control only has to grow; it needs no power.
CONTROL_SEEDS = 2
MIN_WIDTHS = 4
LOG2_LRS = range(-3, -15, -1)
Tell = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A check with the learning rate that it was done at."""

    check: Check
    lr: float


def widths(study: Study) -> tuple[int, ...]:
    """The widths of a study's check: all that it trains, doubled on where these are few."""
    if study.coordcheck.widths is not None:
        return tuple(sorted(set(study.coordcheck.widths)))
    found = list(study.places) if study.axis == "width" else [study.search.width]
    while len(found) < MIN_WIDTHS:
        found.append(2 * found[-1])
    return tuple(found[-MIN_WIDTHS - 1 :])


def config(study: Study, arm: Arm, width: int, seed: int, lr: float) -> TrialConfig:
    """The training of which a check looks at the first steps: constant LR, no clipping."""
    options = study.coordcheck
    train = dataclasses.replace(
        study.train,
        steps=options.steps,
        batch_size=options.batch_size,
        schedule="constant",
        ema_frac=None,
        compile=False,
        log_every=None,
        n_val=1,
    )
    return TrialConfig(
        model=study.model,
        data=dataclasses.replace(study.data, val_draws=1),
        objective=study.objective,
        train=train,
        hps=_hps(study, lr),
        width=width,
        arm=arm,
        seed=seed,
        device=_device(study),
        threads=study.resources.threads,
    )


def _hps(study: Study, lr: float) -> HPs:
    """The middle of every range, but for the LR and what acts on it."""
    middle = {name: found.middle for name, found in study.parameters.items()}
    middle = {n: v for n, v in middle.items() if n not in ("warmup_steps", "grad_clip")}
    return hps_of(middle | {"lr": lr})


def _device(study: Study) -> Any:
    return study.resources.device if torch.cuda.is_available() else "cpu"


def flops(study: Study) -> float:
    """Training FLOPs of a check with the fewest seeds, probes left out."""
    options = study.coordcheck
    runs = options.seeds + CONTROL_SEEDS
    return sum(runs * training_flops(config(study, "mup", w, 0, 1.0)) for w in widths(study))


def measure(study: Study, tell: Tell = lambda line: None) -> Checked:
    """Do the check of a study on this machine.

    Args:
        study: The study.
        tell: Is told what goes on, line by line.
    """
    options = study.coordcheck

    def start(arm: Arm, width: int, seed: int, lr: float) -> coordcheck.Run:
        return coordcheck.of_trial(config(study, arm, width, seed, lr))

    steps, n = options.steps, options.seeds
    lr = options.lr or coordcheck.choose_lr(
        start, base_width=study.model.base_width, steps=steps, log2_lrs=LOG2_LRS
    )

    def rows(arm: Arm, seeds: Sequence[int]) -> list[dict[str, Any]]:
        tell(f"coordinate check: {arm}, seeds {list(seeds)}, widths {list(widths(study))}")
        sizes = coordcheck.measure(
            start, widths=widths(study), seeds=seeds, steps=steps, lr=lr, arm=arm
        )
        return [vars(size) for size in sizes]

    found = rows("mup", range(n)) + rows("sp", range(CONTROL_SEEDS))
    check = coordinates.judge(pd.DataFrame(found), tolerance=options.tolerance)
    while not check.has_power and n < options.max_seeds:
        found += rows("mup", [n])
        n += 1
        check = coordinates.judge(pd.DataFrame(found), tolerance=options.tolerance)
    return Checked(check=check, lr=lr)


def key(study: Study) -> str:
    """What a stored result belongs to: the trainings that it looked at, and the options."""
    trials = [identity(config(study, a, w, 0, 1.0)) for a in ("mup", "sp") for w in widths(study)]
    options = dataclasses.asdict(study.coordcheck) | {"gate": None}
    return json.dumps([coordinates.RULES, trials, options], sort_keys=True)


def stored(study: Study, store: Store) -> dict[str, Any] | None:
    """The result of an earlier run of the same check, None where there is none."""
    if not store.exists(FILE):
        return None
    held = store.read_json(FILE)
    return held if held.get("key") == key(study) else None


def write(study: Study, store: Store, found: Checked) -> dict[str, Any]:
    """Write result and plots into the run directory; the result as stored."""
    content = {
        "format": 1,
        "key": key(study),
        "log2_lr": math.log2(found.lr),
        "versions": worker.versions(),
        **found.check.to_dict(),
        "findings": [{"text": str(f), **dataclasses.asdict(f)} for f in found.check.findings],
    }
    drawn = coordinate_figures.all_figures(found.check)
    for name, data in figures.files(drawn).items():
        store.write(data, "plots", name)
    store.write(json.dumps(content, indent=1).encode(), FILE)
    return content


def is_due(study: Study) -> bool:
    """Whether `run` begins with a check: one along another axis trains at a single width."""
    return study.coordcheck.gate != "skip" and study.axis == "width"


def gate(study: Study, store: Store, tell: Tell) -> None:
    """Let a study pass whose model is checked, now or in an earlier run.

    Raises:
        RunError: the check failed, or shows nothing.
        UserError: the widest model does not fit into memory.
    """
    if not is_due(study):
        return
    held = stored(study, store)
    if held is None:
        memory.check(study, memory.of_this_machine(), "this machine, which checks its coordinates,")
        held = write(study, store, measure(study, tell))
    told = message(study.name, held)
    if held["verdict"] == "PASS" or study.coordcheck.gate == "warn":
        tell(told)
        return
    remedy = (
        "correct the model or its roles (`mutransfer roles` prints them), or run all the same with "
        "--no-coordcheck or `coordcheck: {gate: warn}`"
    )
    raise RunError(f"{told}\n{remedy}")


def message(name: str, held: dict[str, Any], most: int = 5) -> str:
    """The result in a few lines."""
    verdict, findings = held["verdict"], held["findings"]
    scope = (
        f"widths {', '.join(map(str, held['widths']))}, {held['n_seeds']} seeds, "
        f"LR 2^{held['log2_lr']:g}, "
        f"{held['n_series']} series, tolerance {held['tolerance']:g}; a slope of "
        f"{held['detectable']:.2f} would be seen"
    )
    head = f"{name}: coordinate check: {verdict} ({scope})"
    if verdict == "BLIND":
        return (
            f"{head}\n    nothing grows under SP either: a larger `coordcheck.lr` or wider models"
        )
    lines = [f"    {found['text']}" for found in findings[:most]]
    if len(findings) > most:
        lines.append(f"    and {len(findings) - most} more; all of them in {FILE}")
    return "\n".join([head, *lines])


def told(study: Study, store: Store) -> str | None:
    """The stored result in a few lines, for the report; None where no check was done."""
    return message(study.name, store.read_json(FILE)) if store.exists(FILE) else None


def plots(store: Store) -> dict[str, bytes]:
    """The stored plots as SVG by file name."""
    names = [name for name in store.names("plots", ".svg") if name.startswith("coordcheck_")]
    return {f"{name}.svg": store.read_bytes("plots", f"{name}.svg") for name in names}
