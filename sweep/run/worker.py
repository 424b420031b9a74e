"""One trial in one process: train, write checkpoints, write the row. Independent of Ray.

The worker itself writes the row, so no result is lost when the driver dies, and none changes when
a second worker runs the same trial.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import pickle
import platform
import socket
import time
import traceback
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from mutransfer.analysis.table import HP_PREFIX, SCHEMA_VERSION
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.training.flops import n_params, step_flops
from mutransfer.proxies.training.train import Training
from mutransfer.sweep.plan.request import TrialRequest, hp_values
from mutransfer.sweep.run import user_trainer
from mutransfer.sweep.store import samples
from mutransfer.sweep.store.provenance import versions
from mutransfer.sweep.store.store import WORKER_LOST, Store

# Texts of errors after which a CUDA context is unusable.
CHECKSUM_BYTES = 32  # at the start of a checkpoint
CUDA_ERRORS = ("CUDA error", "device-side assert", "cudaError")


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """The progress of a running trial.

    Attributes:
        trial_id: The trial.
        step: Training steps done.
        steps: Training steps in all.
        train_loss: The last training loss; None before there is one.
        pid: The process that runs the trial.
    """

    trial_id: str
    step: int
    steps: int
    train_loss: float | None
    pid: int


class _FailedAt(Exception):
    """Training ended with an exception after some steps."""

    def __init__(self, steps: int, cause: Exception) -> None:
        self.steps, self.cause = steps, cause


class PoisonedProcess(RuntimeError):
    """A CUDA error: the process can run no other trial. The row of this one is written."""


def run(
    request: TrialRequest, study: str, store: Store, *, checkpoint_every_s: float
) -> Iterator[Heartbeat]:
    """Run one trial and write its row; yields heartbeats.

    An exception becomes a row of status ``failed``, with the FLOPs of the steps before it. A trial
    that has a row is not run again. One that has a checkpoint resumes from it, with bitwise the
    same result.

    Raises:
        PoisonedProcess: no other trial can run in this process; the row is written before.
    """
    if store.has_row(request.trial_id):
        return
    started = time.time()
    try:
        row, curve = yield from _train(request, store, checkpoint_every_s)
    except Exception as error:
        row, curve = _failed(request.config, error), []
    row = {
        **identity_columns(request, study),
        **row,
        "wall_s": time.time() - started,
        "started_at": _utc(started),
        "finished_at": _utc(time.time()),
        "host": socket.gethostname(),
        "versions": json.dumps(versions()),
    }
    _write(store, row, curve)
    store.remove("checkpoints", f"{request.trial_id}.pt")
    store.clear(f"checkpoints/{request.trial_id}")
    if any(word in (row.get("error") or "") for word in CUDA_ERRORS):
        raise PoisonedProcess(row["error"])


def _write(store: Store, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Write a trial's row; one that a column cannot hold is a failure of the trial."""
    try:
        store.write_row(row, curve)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        columns = {"val_loss", "train_loss", "init_val_loss", "diverged_step", "trivial_val_loss"}
        kept = {name: value for name, value in row.items() if name not in columns}
        store.write_row(kept | {"status": "failed", "error": _error_text(error)}, [])


def lost_row(request: TrialRequest, study: str) -> dict[str, Any]:
    """The row of a trial whose worker process died at every attempt."""
    now = _utc(time.time())
    return {
        **identity_columns(request, study),
        "status": "failed",
        "error": f"{WORKER_LOST}: its process died at every attempt (out of memory? see ray.log)",
        "started_at": now,
        "finished_at": now,
        "host": socket.gethostname(),
        "versions": json.dumps(versions()),
    }


def identity_columns(request: TrialRequest, study: str) -> dict[str, Any]:
    """The columns of a row that are known before the trial runs."""
    config = request.config
    return {
        "schema": SCHEMA_VERSION,
        "trial_id": request.trial_id,
        "study": study,
        "asked_by": request.asked_by,
        "generation": request.generation,
        "arm": config.arm,
        "family": config.model.family,
        "width": config.width,
        "depth": getattr(config.model, "depth", None),
        "base_width": config.model.base_width,
        "batch_size": config.train.batch_size,
        "steps": config.train.steps,
        "n_val": config.train.n_val,
        "seed": config.seed,
        **{HP_PREFIX + name: value for name, value in hp_values(config.hps).items()},
        "n_params": n_params(config),
        "device": config.device,
        "threads": config.threads,
        # A trainer of the user's reports its own.
        "precision": config.train.precision if config.trainer is None else None,
    }


def _train(
    request: TrialRequest, store: Store, checkpoint_every_s: float
) -> Generator[Heartbeat, None, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Train, from the checkpoint if there is one; returns the outcome's columns and the curve."""
    if request.config.trainer is not None:
        return (yield from _train_with_user_trainer(request, store))
    training = Training(request.config)
    name = f"{request.trial_id}.pt"
    resumed_from = None
    if store.exists("checkpoints", name):
        resumed_from = _restore(training, store.read_bytes("checkpoints", name))
    try:
        yield from _steps(training, request.trial_id, store, checkpoint_every_s)
    except Exception as error:
        raise _FailedAt(training.step, error) from error
    row, curve = _result(training, resumed_from)
    if samples.is_wanted(request) and row["status"] == "done":
        samples.draw(training, request.trial_id, store)
    return row, curve


def _steps(
    training: Training, trial_id: str, store: Store, checkpoint_every_s: float
) -> Iterator[Heartbeat]:
    """Train to the end, writing checkpoints."""
    saved = time.monotonic()
    for progress in training.run():
        if time.monotonic() - saved > checkpoint_every_s:
            buffer = io.BytesIO()
            torch.save(training.state_dict(), buffer)
            content = buffer.getvalue()
            store.write(_checksum(content) + content, "checkpoints", f"{trial_id}.pt")
            saved = time.monotonic()
        yield Heartbeat(
            trial_id=trial_id,
            step=progress.step,
            steps=progress.steps,
            train_loss=progress.train_loss,
            pid=os.getpid(),
        )


def _train_with_user_trainer(
    request: TrialRequest, store: Store
) -> Generator[Heartbeat, None, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """As `_train`, by the user's own trainer."""
    points = user_trainer.train(request.config, request.trial_id, store)
    last: Mapping[str, Any] = {}
    with contextlib.closing(points):
        while True:
            try:
                last = points.send(None) or last
            except StopIteration as end:
                outcome: tuple[dict[str, Any], list[dict[str, Any]]] = end.value
                return outcome
            except Exception as error:
                raise _FailedAt(last.get("step", 0), error) from error
            yield Heartbeat(
                trial_id=request.trial_id,
                step=last.get("step", 0),
                steps=request.config.train.steps,
                train_loss=last.get("train_loss"),
                pid=os.getpid(),
            )


def _restore(training: Training, content: bytes) -> int | None:
    """Resume from a checkpoint; returns its step, or None where it cannot be used."""
    checksum, content = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    if _checksum(content) != checksum:
        return None  # one flipped bit would be another result
    try:
        state = torch.load(io.BytesIO(content), weights_only=True)
        training.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError):
        return None  # damaged, or of another version: the trial starts from step 0
    return training.step


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _result(
    training: Training, resumed_from: int | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The outcome of a trial as columns of its row, and its curve."""
    result = training.result()
    row = {
        "status": result.status,
        "diverged_step": result.diverged_step,
        "train_loss": _finite(result.train_loss),
        "val_loss": result.val_loss,
        "end_val_loss": result.end_val_loss,
        "init_val_loss": _finite(result.init_val_loss),
        "trivial_val_loss": _finite(result.trivial_val_loss),
        "flops": result.flops,
        "train_s": result.train_s,
        "resumed_from_step": resumed_from,
        "device_name": _device_name(training.device),
    }
    return row, list(result.curve)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def _failed(config: TrialConfig, error: Exception) -> dict[str, Any]:
    """The outcome of a trial that ended with an error."""
    steps, cause = (error.steps, error.cause) if isinstance(error, _FailedAt) else (0, error)
    # A model that took no step may be one that cannot be built, whose FLOPs cannot be counted.
    flops = steps * step_flops(config) if steps else 0.0
    return {"status": "failed", "error": _error_text(cause), "flops": flops}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _error_text(error: Exception) -> str:
    """The error and the line that raised it, as one line of text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = f"{Path(frame.filename).name}:{frame.lineno}"
    text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text} ({line})"


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
