"""The gate before a study: the invariants and the coordinate check of its model under μP."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.coordcheck import coordcheck_plots
from mutransfer.analysis.verdict import coordcheck as coordcheck_verdict
from mutransfer.analysis.verdict.coordcheck import Check
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.checks.invariants import BrokenLaw
from mutransfer.proxies.config.trial import HPs, TrialConfig
from mutransfer.proxies.mup.optimizers import KIND_OF
from mutransfer.proxies.training.flops import training_flops
from mutransfer.proxies.training.identity import identity
from mutransfer.sweep.errors import RunError, UserError
from mutransfer.sweep.plan.request import hps_of
from mutransfer.sweep.run import events, memory
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import provenance
from mutransfer.sweep.store.store import Store
from mutransfer.words import Arm

FILE = "coordcheck.json"
CONTROL_SEEDS = 2  # sizes under SP only have to grow visibly: the control needs no power
WANTED_WIDTHS, MIN_WIDTHS = 4, 3
# FLOPs of about ten minutes, by device; a check that costs more omits its widest widths.
MAX_FLOPS = {"cpu": 3e13, "cuda": 3e16}
# log2 of the LRs that are tried, largest first; SGD and Muon may need larger ones than Adam.
LOG2_LRS, OTHER_LOG2_LRS = range(-3, -15, -1), range(4, -15, -1)
Notify = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """The outcome of the gate.

    Attributes:
        check: The coordinate check.
        lr: The learning rate of the coordinate check and of the invariants.
        broken: The invariants that do not hold.
    """

    check: Check
    lr: float
    broken: tuple[BrokenLaw, ...] = ()

    @property
    def verdict(self) -> coordcheck_verdict.CheckVerdict:
        """The verdict of the coordinate check, or FAIL where an invariant is broken."""
        return "FAIL" if self.broken else self.check.verdict


def widths(study: Study) -> tuple[int, ...]:
    """The widths at which a study's model is checked, in ascending order.

    These are the widths of `coordcheck.widths`, or else the study's ladder and target, continued
    by doubling to `WANTED_WIDTHS`. The widest are omitted, down to `MIN_WIDTHS` widths, while the
    check costs more than `MAX_FLOPS` (see `too_costly`).
    """
    if study.coordcheck.widths is not None:
        return tuple(sorted(set(study.coordcheck.widths)))
    chosen = list(study.axis_values) if study.axis == "width" else [study.search.width]
    while len(chosen) < WANTED_WIDTHS:
        chosen.append(2 * chosen[-1])
    while len(chosen) > MIN_WIDTHS and _flops(study, chosen) > MAX_FLOPS[_device(study)]:
        chosen.pop()
    return tuple(chosen[-WANTED_WIDTHS - 1 :])


def too_costly(study: Study) -> tuple[int, ...]:
    """The study's own widths that the check omits because of their cost."""
    widest = widths(study)[-1]
    own = study.axis_values if study.axis == "width" else ()
    return () if study.coordcheck.widths else tuple(w for w in own if w > widest)


def config(study: Study, arm: Arm, width: int, seed: int, lr: float) -> TrialConfig:
    """The trial whose first steps the check measures: constant LR, no clipping, no EMA."""
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
        code=study.code,
        recorded=study.recorded,
    )


def _hps(study: Study, lr: float) -> HPs:
    """The middle of every search range, with the given LR, no warmup and no clipping."""
    middle = {name: distribution.middle for name, distribution in study.parameters.items()}
    middle = {n: v for n, v in middle.items() if n not in ("warmup_steps", "grad_clip")}
    return hps_of(middle | {"lr": lr})


def _device(study: Study) -> Any:
    return study.resources.device if torch.cuda.is_available() else "cpu"


def flops(study: Study) -> float:
    """Training FLOPs of a check with its first seeds; its extra forward passes are not counted."""
    return _flops(study, widths(study))


def _flops(study: Study, of_widths: Sequence[int]) -> float:
    runs = study.coordcheck.seeds + CONTROL_SEEDS
    return sum(runs * training_flops(config(study, "mup", w, 0, 1.0)) for w in of_widths)


def measure(study: Study, notify: Notify = lambda line: None) -> GateResult:
    """Check the model of a study on this machine.

    Seeds are added one by one, up to `coordcheck.max_seeds`, until the check has power.

    Args:
        study: The study.
        notify: Called with one line of text as each measurement starts.
    """
    options = study.coordcheck

    def start(arm: Arm, width: int, seed: int, lr: float) -> coordcheck.CheckRun:
        return coordcheck.of_trial(config(study, arm, width, seed, lr))

    steps, n, base_width = options.steps, options.seeds, study.model.base_width
    is_entrywise = KIND_OF[study.train.optimizer.name] == "entrywise"
    lr = options.lr or coordcheck.choose_lr(
        start,
        base_width=base_width,
        steps=steps,
        log2_lrs=LOG2_LRS if is_entrywise else OTHER_LOG2_LRS,
    )
    widest = max(w for w in (*widths(study), 2 * base_width) if w > base_width)
    broken = invariants.broken_laws(start, base_width=base_width, width=widest, lr=lr)

    def rows(arm: Arm, seeds: Sequence[int]) -> list[dict[str, Any]]:
        notify(f"coordinate check: {arm}, seeds {list(seeds)}, widths {list(widths(study))}")
        sizes = coordcheck.measure(
            start, widths=widths(study), seeds=seeds, steps=steps, lr=lr, arm=arm
        )
        return [vars(size) for size in sizes]

    measured = rows("mup", range(n)) + rows("sp", range(CONTROL_SEEDS))
    check = coordcheck_verdict.judge(pd.DataFrame(measured), tolerance=options.tolerance)
    while not check.has_power and n < options.max_seeds:
        measured += rows("mup", [n])
        n += 1
        check = coordcheck_verdict.judge(pd.DataFrame(measured), tolerance=options.tolerance)
    return GateResult(check=check, lr=lr, broken=tuple(broken))


def key(study: Study) -> str:
    """What a stored result depends on: the rules, the measured trials and the options, as JSON."""
    trials = [identity(config(study, a, w, 0, 1.0)) for a in ("mup", "sp") for w in widths(study)]
    options = dataclasses.asdict(study.coordcheck) | {"gate": None}
    return json.dumps([coordcheck_verdict.RULES, invariants.RULES, trials, options], sort_keys=True)


def stored(study: Study, store: Store) -> dict[str, Any] | None:
    """The result of an earlier run of the same check; None where there is none."""
    if not store.exists(FILE):
        return None
    try:
        content = store.read_json(FILE)
    except UserError:  # damaged or edited: the check is done again
        return None
    return content if content.get("key") == key(study) else None


def write(study: Study, store: Store, result: GateResult) -> dict[str, Any]:
    """Write the result and its plots into the run directory; returns the content as stored."""
    content = {
        "format": 1,
        "key": key(study),
        "log2_lr": math.log2(result.lr),
        "versions": provenance.versions(),
        "device": _device(study),
        "not_checked": list(too_costly(study)),
        **result.check.to_dict(),
        "verdict": result.verdict,
        "broken": [{"text": str(b), **dataclasses.asdict(b)} for b in result.broken],
        "findings": [{"text": str(f), **dataclasses.asdict(f)} for f in result.check.findings],
    }
    for name, data in canvas.files(coordcheck_plots(result.check)).items():
        store.write(data, "plots", name)
    store.write_json(content, FILE)
    return content


def is_due(study: Study) -> bool:
    """Whether `run` starts with the check; only a study along width trains at several widths."""
    return study.coordcheck.gate != "skip" and study.axis == "width"


def require_pass(study: Study, store: Store, notify: Notify) -> None:
    """Check the model, unless an earlier run did, and return only where the check passed.

    With `coordcheck: {gate: warn}` a failed check is reported through ``notify`` only.

    Raises:
        RunError: the check failed, or has no power to detect a failure.
        UserError: the widest model does not fit into memory.
    """
    if not is_due(study):
        return
    content = stored(study, store)
    if content is None:
        where = "this machine, which runs the coordinate check (at `coordcheck.widths`),"
        widest = config(study, "mup", widths(study)[-1], 0, 1.0)
        memory.check(study, memory.of_this_machine(), where, [widest])
        content = write(study, store, measure(study, notify))
    events.append(store, "gate", verdict=content["verdict"])
    text = result_text(study.name, content)
    if content["verdict"] == "PASS" or study.coordcheck.gate == "warn":
        notify(text)
        return
    remedy = (
        "correct the model or its roles (`mutransfer roles` prints them), or run it anyway with "
        "--no-coordcheck or `coordcheck: {gate: warn}`"
    )
    raise RunError(f"{text}\n{remedy}")


def result_text(name: str, content: dict[str, Any], limit: int = 5) -> str:
    """A stored result as text: one line, then at most ``limit`` lines of each kind of finding."""
    verdict, findings = content["verdict"], content["findings"]
    scope = (
        f"widths {', '.join(map(str, content['widths']))}, {content['n_seeds']} seeds, "
        f"LR 2^{content['log2_lr']:g}, "
        f"{content['n_series']} series, tolerance {content['tolerance']:g}; it would detect a "
        f"slope of {content['detectable']:.2f}"
    )
    lines = [f"{name}: coordinate check: {verdict} ({scope})"]
    if omitted := content.get("not_checked"):
        omitted = ", ".join(map(str, omitted))
        lines.append(
            f"    not checked because of their cost: {omitted}; to check them, list them in "
            "`coordcheck.widths`"
        )
    if verdict == "BLIND":
        remedy = "choose a larger `coordcheck.lr` or wider models"
        return "\n".join([*lines, f"    nothing grows with width under SP either: {remedy}"])
    lines += _first("invariant broken: ", content.get("broken", []), limit)
    return "\n".join(lines + _first("", findings, limit))


def _first(prefix: str, findings: Sequence[dict[str, Any]], limit: int) -> list[str]:
    lines = [f"    {prefix}{finding['text']}" for finding in findings[:limit]]
    if len(findings) > limit:
        lines.append(f"    and {len(findings) - limit} more; all of them are in {FILE}")
    return lines


def stored_text(study: Study, store: Store) -> str | None:
    """The stored result as text, for the report; None where no check was done."""
    return result_text(study.name, store.read_json(FILE)) if store.exists(FILE) else None


def stored_check(store: Store) -> Check | None:
    """The stored coordinate check; None where none was done."""
    return coordcheck_verdict.from_dict(store.read_json(FILE)) if store.exists(FILE) else None
