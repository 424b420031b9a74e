"""Trials by the user's own trainer: a Python function, or a program that reads and writes JSON."""

import contextlib
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from mutransfer.proxies import user_code
from mutransfer.proxies.config.trial import TrainerConfig, TrialConfig
from mutransfer.proxies.mup.plan import Plan
from mutransfer.proxies.training import flops
from mutransfer.proxies.training.trial import optimizer, plan
from mutransfer.sweep.plan.request import hp_values
from mutransfer.sweep.run import supervise
from mutransfer.sweep.store.store import Store

POLL_S = 0.1  # between two reads of a program's progress file
CHUNK_CHARS = 2**20  # that are read at once, and the most in a line
MAX_POINTS = 1_000_000
ERROR_LINES = 5  # of a failed program's output, for the row
Point = Mapping[str, Any]  # step, losses, lr and grad_norm, as the trainer reports them
# What a point may say of the training itself, under `settings`.
SETTINGS = ("optimizer", "schedule", "precision", "loss", "ema")
MAX_SETTINGS = 10_000  # characters, as JSON
Outcome = tuple[dict[str, Any], list[dict[str, Any]]]  # columns of the row, and the curve


@dataclass(frozen=True, kw_only=True)
class TrialSettings:
    """The argument of the user's function; a program reads the same as JSON.

    Attributes:
        width: Width of the model.
        seed: Seed of the trial.
        steps: Training steps.
        batch_size: Samples per step.
        hps: Base HPs by name.
        plan: The model's plan at this width: roles and multipliers by parameter name.
        optimizer: What the spec says of the optimizer, after scaling rules: name, betas, eps.
        schedule: What it says of the LR schedule, as arguments of `mup.scheduler`, but for
            `warmup_steps`, a base HP.
        precision: Number format of the forward pass.
        objective: The diffusion loss.
        ema_frac: Horizon of the EMA of the weights as a share of the steps; None: no EMA.
        checkpoint_dir: A folder for the trainer's checkpoints, kept when a worker is killed.
        progress_file: The file to which a program appends its points, one JSON object per line;
            None for a function. A trial that is started again has a new file, so a trainer that
            resumes from a checkpoint reports the validation loss of step 0 again: a divergence is
            recognized by it.
    """

    width: int
    seed: int
    steps: int
    batch_size: int
    hps: dict[str, float | None]
    plan: Plan
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    precision: str
    objective: dict[str, Any]
    ema_frac: float | None
    checkpoint_dir: str
    progress_file: str | None = None


class TrainerError(RuntimeError):
    """The user's trainer failed or broke the protocol; the text becomes the row's error."""


def train(
    config: TrialConfig, trial_id: str, store: Store
) -> Generator[Point | None, None, Outcome]:
    """Run the user's trainer; yields its points, and None while it reports nothing.

    Returns:
        Columns of the row, and the curve. A loss that is not finite, or a last validation loss not
        below that of step 0, is a divergence.

    Raises:
        TrainerError: it ended with an error, was silent too long, or reported no last loss.
    """
    assert config.trainer is not None, "the worker checks it"
    started = time.monotonic()
    curve: list[dict[str, Any]] = []
    settings: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(store.own_path("checkpoints", trial_id) if store.local else scratch)
        folder.mkdir(parents=True, exist_ok=True)
        trial = _settings(config, str(folder))
        points = _points(config.trainer, trial, Path(scratch))
        with contextlib.closing(points):
            for point in points:
                if point is not None:
                    curve.append(_checked(point, config.train.steps))
                    settings |= _checked_settings(point, settings)
                    _require_few(curve)
                yield point
                if point is not None and _is_diverged(curve):
                    break
        row = _row(config, curve) | _settings_columns(settings)
    return row | {"train_s": time.monotonic() - started}, [_without_non_finite(p) for p in curve]


def _require_few(curve: list[dict[str, Any]]) -> None:
    if len(curve) > MAX_POINTS:
        raise TrainerError(f"at most {MAX_POINTS:,} points; report fewer, for example every step")


def _settings(config: TrialConfig, folder: str) -> TrialSettings:
    train = config.train
    return TrialSettings(
        width=config.width,
        seed=config.seed,
        steps=train.steps,
        batch_size=train.batch_size,
        hps=hp_values(config.hps),
        plan=plan(config),
        optimizer=optimizer(config),
        schedule={
            "schedule": train.schedule,
            "steps": train.steps,
            "final_lr_frac": train.final_lr_frac,
            "decay_frac": train.decay_frac,
        },
        precision=train.precision,
        objective=asdict(config.objective),
        ema_frac=train.ema_frac,
        checkpoint_dir=folder,
    )


def _points(
    trainer: TrainerConfig, trial: TrialSettings, scratch: Path
) -> Generator[Point | None, None, None]:
    if trainer.command is not None:
        yield from _program_points(trainer.command, trainer.silence_s, trial, scratch)
        return
    assert trainer.run is not None, "the spec checks it"
    for point in user_code.function(trainer.run)(trial):
        yield asdict(point) if is_dataclass(point) else point  # type: ignore[arg-type]


def _program_points(
    command: str, silence_s: float, trial: TrialSettings, scratch: Path
) -> Generator[Point | None, None, None]:
    user_code.require(command)
    progress, errors = scratch / "progress.jsonl", scratch / "stderr.txt"
    progress.touch()
    trial_json = scratch / "trial.json"
    trial_json.write_text(json.dumps(asdict(trial) | {"progress_file": str(progress)}))
    arguments = [
        user_code.located(word.replace("{config_json}", str(trial_json)))
        for word in shlex.split(command)
    ]
    if shutil.which(arguments[0], path=_environment()["PATH"]) is None:
        raise TrainerError(f"{arguments[0]}: cannot be started: no such program, or not executable")
    with progress.open(errors="replace") as lines:
        process = subprocess.Popen(
            [sys.executable, "-I", supervise.__file__, str(errors), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        try:
            yield from _lines_until_end(process, lines, silence_s)
        finally:
            _end(process)
    if process.returncode:
        text = errors.read_text(errors="replace") if errors.exists() else ""
        last = " | ".join(text.splitlines()[-ERROR_LINES:])
        raise TrainerError(f"{_exit_text(process.returncode)}: {last}")


def _exit_text(code: int) -> str:
    with contextlib.suppress(ValueError):
        return f"ended by {signal.Signals(code - 128).name}"
    return f"exit code {code}"


def _environment() -> dict[str, str]:
    """The environment variables of a program, with the folder of this Python first on the PATH.

    `torchrun` is in that folder, which is not on the PATH of an environment that is not activated.
    """
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)])}


def _lines_until_end(
    process: subprocess.Popen[bytes], lines: Any, silence_s: float
) -> Iterator[Point | None]:
    """Yield the program's points as they are written, None between them, until it has ended."""
    last_line_at, partial = time.monotonic(), ""
    while True:
        has_ended = process.poll() is not None
        while chunk := lines.read(CHUNK_CHARS):
            *complete, partial = (partial + chunk).split("\n")
            for line in filter(str.strip, complete):
                last_line_at = time.monotonic()
                yield _parsed(line)
            if len(partial) > CHUNK_CHARS:
                raise TrainerError(f"a line of more than {CHUNK_CHARS:,} characters")
        if has_ended:
            if partial.strip():  # a last line without its newline
                yield _parsed(partial)
            return
        if time.monotonic() - last_line_at > silence_s:
            raise TrainerError(f"silent for {silence_s:g} s: no new line in its progress file")
        yield None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program if it still runs, then close the supervisor's pipe."""
    if process.poll() is None:
        supervise.end(process.pid)
        process.wait()
    assert process.stdin is not None, "it is a pipe"
    process.stdin.close()


def _parsed(line: str) -> Point:
    try:
        point = json.loads(line)
    except ValueError:
        point = None
    if not isinstance(point, dict):
        raise TrainerError(f"each line of the progress file is a JSON object; got {line[:80]!r}")
    return point


def _checked(point: Point, steps: int) -> dict[str, Any]:
    step = point.get("step")
    if type(step) is not int or not 0 <= step <= steps:  # True is an int
        raise TrainerError(f"step: a whole number from 0 to {steps}; got {step!r}")
    names = ("train_loss", "val_loss", "lr", "grad_norm")
    values = {n: None if point.get(n) is None else _number(n, point[n]) for n in names}
    return {"step": step, **values}


def _checked_settings(point: Point, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a point says of the training; {} if nothing. Raises TrainerError."""
    settings = point.get("settings") or {}
    if not isinstance(settings, Mapping) or (extra := sorted(settings.keys() - set(SETTINGS))):
        found = extra if isinstance(settings, Mapping) else type(settings).__name__
        raise TrainerError(f"settings: a mapping with keys of {', '.join(SETTINGS)}; got {found}")
    try:
        text = json.dumps(settings, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TrainerError(f"settings: JSON data with finite numbers; got {error}") from None
    if len(text) > MAX_SETTINGS:
        raise TrainerError(f"settings: at most {MAX_SETTINGS} characters of JSON; got {len(text)}")
    plain: dict[str, Any] = json.loads(text)
    for name, value in plain.items():
        if name in known and known[name] != value:
            raise TrainerError(
                f"settings: {name}: one value in a trial; got {known[name]!r}, then {value!r}"
            )
    return plain


def _settings_columns(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what the trainer reported; what it did not report is null."""
    precision = settings.get("precision")
    return {
        "settings": json.dumps(settings, sort_keys=True) if settings else None,
        "precision": None if precision is None else str(precision),
    }


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool | str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TrainerError(f"{name}: a number or null; got {value!r}") from None


def _is_diverged(curve: list[dict[str, Any]]) -> bool:
    losses = (curve[-1]["train_loss"], curve[-1]["val_loss"])
    return any(loss is not None and not math.isfinite(loss) for loss in losses)


def _row(config: TrialConfig, curve: list[dict[str, Any]]) -> dict[str, Any]:
    last: dict[str, Any] = curve[-1] if curve else dict.fromkeys(("val_loss", "train_loss"))
    step = int(last.get("step", 0))
    init_val_loss = next((p["val_loss"] for p in curve if p["step"] == 0), None)
    diverged = bool(curve) and _is_diverged(curve)
    if not diverged and (step < config.train.steps or last["val_loss"] is None):
        raise TrainerError(
            f"the last point has step {config.train.steps} and a val_loss; got step {step}, "
            f"val_loss {last['val_loss']}"
        )
    if not diverged and init_val_loss is not None and not last["val_loss"] < init_val_loss:
        diverged = True
    return {
        "status": "diverged" if diverged else "done",
        "diverged_step": step if diverged else None,
        "train_loss": None if diverged else last["train_loss"],
        "end_val_loss": _finite_or_none(last["val_loss"]),
        "val_loss": None if diverged else last["val_loss"],
        "init_val_loss": _finite_or_none(init_val_loss),
        "flops": step * flops.step_flops(config),
        "device_name": None,
    }


def _without_non_finite(point: dict[str, Any]) -> dict[str, Any]:
    return {key: _finite_or_none(value) for key, value in point.items()}


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
