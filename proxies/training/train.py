"""The training loop of one trial: it yields points of the training curve, then gives a result.

It can be interrupted at any point: `state_dict` holds everything that the remaining steps depend
on, and a resumed run ends in the same bits.
"""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mutransfer.proxies import mup, training
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.rng import stream_seed
from mutransfer.proxies.training import flops
from mutransfer.proxies.training.divergence import LOSS, NORM, first_diverged_step, window
from mutransfer.proxies.training.ema import EMA
from mutransfer.proxies.training.schedule import lr_scale
from mutransfer.proxies.training.task import task_of


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A point of the training curve; losses are means over the steps since the last point.

    `step` of `steps`; `lr` is the base LR at that step. `val_loss` is None where no validation was
    due; non-finite values are None as well.
    """

    step: int
    steps: int
    train_loss: float | None
    lr: float
    grad_norm: float | None
    val_loss: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a trial. Losses are None where there is no value, never a placeholder.

    `train_loss` is the mean over the last 5 % of the steps; both it and `val_loss` are None for a
    diverged run. `end_val_loss` is the validation loss at the end, of a diverged run too, where it
    is finite: it tells a run that blew up from one that learned nothing. `flops` are those of the
    training steps that ran; `train_s` is the time of all segments of a resumed run, with
    validations, in seconds.
    """

    status: Literal["done", "diverged"]
    diverged_step: int | None
    train_loss: float | None
    val_loss: float | None
    end_val_loss: float | None
    init_val_loss: float | None
    trivial_val_loss: float | None
    flops: float
    n_params: int
    train_s: float
    curve: list[dict[str, Any]]


class Training:
    """The training of one trial: iterate over `run()`, then call `result()`."""

    def __init__(self, config: TrialConfig, device: str | torch.device | None = None) -> None:
        """Build and initialize the model of a configuration, and set torch's number of threads.

        Raises:
            ConfigError: the model does not fit its width or the data, or the device is absent.
        """
        self.config = config
        self.device = torch.device(device or config.device)
        _prepare_process(config.threads, self.device)
        self.model = initialized_model(config).to(self.device)
        self._forward = torch.compile(self.model) if config.train.compile else self.model
        self.task = task_of(config, self._forward, self.device)
        self.optimizer = _optimizer(self.model, config)
        self._base_lrs = [group["lr"] for group in self.optimizer.param_groups]
        self._ema = None
        if config.train.ema_frac is not None:
            trained = [p for p in self.model.parameters() if p.requires_grad]
            self._ema = EMA(trained, config.train.ema_frac * config.train.steps)
        self._unread: list[Tensor] = []  # measurements since the last point; on the device
        self.step = 0
        self.history = torch.empty(0, 3)
        self.curve: list[dict[str, Any]] = []
        self.diverged_step: int | None = None
        self.init_val_loss: float | None = None
        self.val_loss: float | None = None
        self.diverged_val_loss: float | None = None
        self.train_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.diverged_step is not None or self.step >= self.config.train.steps

    def run(self) -> Iterator[CurvePoint]:
        """Train to the end, yielding a point every `log_every` steps and at the end."""
        started = time.perf_counter()
        if self.init_val_loss is None:
            self.init_val_loss = self.validate()
        train = self.config.train
        while not self.is_over:
            stop = min(train.steps, (self.step // train.steps_per_log + 1) * train.steps_per_log)
            first = self.step
            while self.step < stop:
                self.take_step()
            point = self._read(first)
            self.train_s += time.perf_counter() - started
            yield point
            started = time.perf_counter()
        # A user's loss may raise where weights are not finite; nothing is to be measured there.
        if self.diverged_step is not None and bool(self.history[-1].isfinite().all()):
            self.diverged_val_loss = self.validate()

    def result(self) -> Result:
        """Return the result of the run.

        Raises:
            RuntimeError: the run has not ended.
        """
        if not self.is_over:
            raise RuntimeError(
                f"result: a run has a result once it has ended; got step {self.step} of "
                f"{self.config.train.steps}; exhaust run()"
            )
        is_done = self.diverged_step is None
        last = self.history[-window(self.config.train.steps) :, LOSS]
        return Result(
            status="done" if is_done else "diverged",
            diverged_step=self.diverged_step,
            train_loss=last.double().mean().item() if is_done else None,
            val_loss=self.val_loss if is_done else None,
            end_val_loss=_finite(self.val_loss if is_done else self.diverged_val_loss),
            init_val_loss=_finite(self.init_val_loss),
            trivial_val_loss=self.task.trivial_val_loss,
            flops=self.step * flops.step_flops(self.config),
            n_params=flops.n_params(self.config),
            train_s=self.train_s,
            curve=self.curve,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what the remaining steps depend on; `torch.load(weights_only=True)` reads it."""
        return {
            "identity": training.identity(self.config),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self._ema is None else self._ema.average,
            "step": self.step,
            "history": self.history,
            "curve": list(self.curve),
            "diverged_step": self.diverged_step,
            "init_val_loss": self.init_val_loss,
            "val_loss": self.val_loss,
            "train_s": self.train_s,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of another `Training` of the same trial.

        Raises:
            ConfigError: the state belongs to another trial.
        """
        if (own := training.identity(self.config)) != state["identity"]:
            raise ConfigError(
                f"load_state_dict: the state of the same trial, {own}; got {state['identity']}; "
                "remove the checkpoint"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self._ema is not None:
            self._ema.load(state["ema"])
        self.step = state["step"]
        self.history = state["history"].cpu().clone()
        self.curve = list(state["curve"])
        self.diverged_step = state["diverged_step"]
        self.init_val_loss = state["init_val_loss"]
        self.val_loss = state["val_loss"]
        self.train_s = state["train_s"]

    def validate(self) -> float:
        """Return the mean loss over the validation set, of the EMA weights if there are any."""
        with self.validated_weights():
            return self.task.val_loss(self.model, self._autocast())

    def validated_weights(self) -> AbstractContextManager[object]:
        """Return a context in which the model has its EMA weights, if there are any."""
        return self._ema.in_place() if self._ema and self.step else nullcontext()

    def take_step(self) -> None:
        """Do one training step; its measurements stay on the device until `_read`."""
        config = self.config
        scale = lr_scale(self.step, config.train, config.hps.warmup_steps)
        for group, lr in zip(self.optimizer.param_groups, self._base_lrs, strict=True):
            group["lr"] = lr * scale
        inputs = self.task.inputs(self.step)
        loss, minimized = self.losses(inputs)
        minimized.backward()
        groups, clip = self.optimizer.param_groups, config.hps.grad_clip
        norm = mup.grad_norm(groups) if clip is None else mup.clip_grad_norm_(groups, clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if self._ema is not None:
            self._ema.update(self.step)
        trivial = self.task.trivial_loss(inputs)
        if trivial is None:
            trivial = torch.full_like(norm, self._trivial(None))
        self._unread.append(torch.stack([loss.detach(), trivial, norm]))

    def losses(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """Return the reported loss on inputs of the task, and the loss that is minimized."""
        with self._autocast():
            return self.task.losses(inputs)

    def _trivial(self, loss: float | None) -> float:
        """Return a trivial loss, or if it is None, the validation loss at initialization."""
        return (self.init_val_loss or 0.0) if loss is None else loss

    def _read(self, first: int) -> CurvePoint:
        """Read the measurements since step `first`, check for divergence, validate if due."""
        mup.check_lrs(self.optimizer)
        train, hps = self.config.train, self.config.hps
        recent = torch.stack(self._unread).float().cpu()
        self._unread.clear()
        self.history = torch.cat([self.history, recent])
        trivial_val_loss = self._trivial(self.task.trivial_val_loss)
        self.diverged_step = first_diverged_step(
            self.history,
            steps=train.steps,
            warmup_steps=hps.warmup_steps,
            init_excess=(self.init_val_loss or 0.0) - trivial_val_loss,
        )
        val_loss = None
        is_due = self.step * train.n_val // train.steps > first * train.n_val // train.steps
        if is_due and self.diverged_step is None:
            val_loss = self.validate()
            is_last = self.step == train.steps
            # Written so that NaN, which compares false, counts as diverged.
            if is_last and not val_loss < trivial_val_loss:
                self.diverged_step = self.step
            self.val_loss = val_loss if is_last else None
        mean = recent.double().mean(dim=0)
        point: dict[str, Any] = {
            "step": self.step,
            "train_loss": _finite(mean[LOSS].item()),
            "lr": hps.lr * lr_scale(self.step - 1, train, hps.warmup_steps),
            "grad_norm": _finite(mean[NORM].item()),
            "val_loss": _finite(val_loss),
        }
        self.curve.append(point)
        return CurvePoint(steps=train.steps, **point)

    def _autocast(self) -> AbstractContextManager[object]:
        """Return a context with the precision of a forward pass."""
        if self.config.train.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def initialized_model(config: TrialConfig) -> nn.Module:
    """Return the initialized model of a trial, on the CPU; torch's global RNG is left unchanged.

    Raises:
        ConfigError: the width or the images do not fit the model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed("model", config.seed))
        model = training.build(config)
    mup.init_(model, training.plan(config), seed=config.seed)
    return model


def _optimizer(model: nn.Module, config: TrialConfig) -> torch.optim.Optimizer:
    hps, options = config.hps, training.optimizer(config)
    del options["name"]  # the plan's
    return mup.optimizer(
        model,
        training.plan(config),
        lr=hps.lr,
        weight_decay=hps.weight_decay,
        fused=config.train.fused,
        **options,
    )


def _prepare_process(threads: int, device: torch.device) -> None:
    """Set torch's options of a process: threads, and deterministic kernels on a GPU."""
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError("device: cuda needs a GPU that torch can use; got none; use cpu")
        torch.use_deterministic_algorithms(True, warn_only=True)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
