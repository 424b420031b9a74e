"""The first stage of a study, a gate: invariants and coordinate check of its model."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from mutransfer.analysis.figures import canvas, coordcheck
from mutransfer.analysis.verdict import coordcheck as coordinates
from mutransfer.analysis.verdict.coordcheck import Check
from mutransfer.proxies.checks import coordcheck as checks_coordcheck
from mutransfer.proxies.checks import invariants
from mutransfer.proxies.checks.invariants import Broken
from mutransfer.proxies.config.trial import HPs, TrialConfig
from mutransfer.proxies.training.flops import training_flops
from mutransfer.proxies.training.identity import identity
from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan.request import hps_of
from mutransfer.sweep.run import memory
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import provenance
from mutransfer.sweep.store.store import Store
from mutransfer.words import Arm

FILE = "coordcheck.json"
# The control only has to grow; it needs no power.
CONTROL_SEEDS = 2
MIN_WIDTHS, FEWEST = 4, 3
# The widest widths are left out while a check has more FLOPs than take about ten minutes here.
MOST_FLOPS = {"cpu": 3e13, "cuda": 3e16}
LOG2_LRS = range(-3, -15, -1)
Tell = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A check, the learning rate that it was done at, and the invariants that are broken."""

    check: Check
    lr: float
    broken: tuple[Broken, ...] = ()

    @property
    def verdict(self) -> coordinates.Verdict:
        """That of the check; FAIL where an invariant is broken."""
        return "FAIL" if self.broken else self.check.verdict


def widths(study: Study) -> tuple[int, ...]:
    """The widths of a study's check.

    Its ladder and target, doubled on where these are few; the widest are left out, down to three,
    where they would take too long (`too_costly`). `coordcheck.widths` names others.
    """
    if study.coordcheck.widths is not None:
        return tuple(sorted(set(study.coordcheck.widths)))
    found = list(study.axis_values) if study.axis == "width" else [study.search.width]
    while len(found) < MIN_WIDTHS:
        found.append(2 * found[-1])
    while len(found) > FEWEST and _flops(study, found) > MOST_FLOPS[_device(study)]:
        found.pop()
    return tuple(found[-MIN_WIDTHS - 1 :])


def too_costly(study: Study) -> tuple[int, ...]:
    """The study's own widths that its check leaves out for their cost."""
    found = widths(study)
    own = study.axis_values if study.axis == "width" else ()
    return () if study.coordcheck.widths else tuple(w for w in own if w > found[-1])


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
    return _flops(study, widths(study))


def _flops(study: Study, of_widths: Sequence[int]) -> float:
    runs = study.coordcheck.seeds + CONTROL_SEEDS
    return sum(runs * training_flops(config(study, "mup", w, 0, 1.0)) for w in of_widths)


def measure(study: Study, tell: Tell = lambda line: None) -> Checked:
    """Do the check of a study on this machine.

    Args:
        study: The study.
        tell: Is told what goes on, line by line.
    """
    options = study.coordcheck

    def start(arm: Arm, width: int, seed: int, lr: float) -> checks_coordcheck.Run:
        return checks_coordcheck.of_trial(config(study, arm, width, seed, lr))

    steps, n, base_width = options.steps, options.seeds, study.model.base_width
    lr = options.lr or checks_coordcheck.choose_lr(
        start, base_width=base_width, steps=steps, log2_lrs=LOG2_LRS
    )
    widest = max(w for w in (*widths(study), 2 * base_width) if w > base_width)
    broken = invariants.broken(start, base_width=base_width, width=widest, lr=lr)

    def rows(arm: Arm, seeds: Sequence[int]) -> list[dict[str, Any]]:
        tell(f"coordinate check: {arm}, seeds {list(seeds)}, widths {list(widths(study))}")
        sizes = checks_coordcheck.measure(
            start, widths=widths(study), seeds=seeds, steps=steps, lr=lr, arm=arm
        )
        return [vars(size) for size in sizes]

    found = rows("mup", range(n)) + rows("sp", range(CONTROL_SEEDS))
    check = coordinates.judge(pd.DataFrame(found), tolerance=options.tolerance)
    while not check.has_power and n < options.max_seeds:
        found += rows("mup", [n])
        n += 1
        check = coordinates.judge(pd.DataFrame(found), tolerance=options.tolerance)
    return Checked(check=check, lr=lr, broken=tuple(broken))


def key(study: Study) -> str:
    """What a stored result belongs to: the trainings that it looked at, and the options."""
    trials = [identity(config(study, a, w, 0, 1.0)) for a in ("mup", "sp") for w in widths(study)]
    options = dataclasses.asdict(study.coordcheck) | {"gate": None}
    return json.dumps([coordinates.RULES, invariants.RULES, trials, options], sort_keys=True)


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
        "versions": provenance.versions(),
        "device": _device(study),
        "not_checked": list(too_costly(study)),
        **found.check.to_dict(),
        "verdict": found.verdict,
        "broken": [{"text": str(b), **dataclasses.asdict(b)} for b in found.broken],
        "findings": [{"text": str(f), **dataclasses.asdict(f)} for f in found.check.findings],
    }
    drawn = coordcheck.all_figures(found.check)
    for name, data in canvas.files(drawn).items():
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
        where = "this machine, which checks its coordinates (at `coordcheck.widths`),"
        widest = config(study, "mup", widths(study)[-1], 0, 1.0)
        memory.check(study, memory.of_this_machine(), where, [widest])
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
    lines = [f"{name}: coordinate check: {verdict} ({scope})"]
    if left_out := held.get("not_checked"):
        left_out = ", ".join(map(str, left_out))
        lines.append(f"    not checked, for its cost: {left_out}; name it in `coordcheck.widths`")
    if verdict == "BLIND":
        remedy = "a larger `coordcheck.lr` or wider models"
        return "\n".join([*lines, f"    nothing grows under SP either: {remedy}"])
    lines += _first("invariant broken: ", held.get("broken", []), most)
    return "\n".join(lines + _first("", findings, most))


def _first(word: str, found: Sequence[dict[str, Any]], most: int) -> list[str]:
    lines = [f"    {word}{one['text']}" for one in found[:most]]
    if len(found) > most:
        lines.append(f"    and {len(found) - most} more; all of them in {FILE}")
    return lines


def told(study: Study, store: Store) -> str | None:
    """The stored result in a few lines, for the report; None where no check was done."""
    return message(study.name, store.read_json(FILE)) if store.exists(FILE) else None


def stored_check(store: Store) -> Check | None:
    """The stored check itself; None where none was done."""
    return coordinates.from_dict(store.read_json(FILE)) if store.exists(FILE) else None
