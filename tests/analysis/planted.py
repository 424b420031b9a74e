"""Tables and slices from a planted law, whose truth is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.table.table import from_rows
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import round_hp

WIDTHS = (32, 64, 128, 256)
TARGET = 512
BASE = 32
LR_OPT = -8.3
STD_OPT = 0.2


def parabola(u: np.ndarray) -> np.ndarray:
    """Return u²."""
    return u**2


def mild_cubic(u: np.ndarray) -> np.ndarray:
    """Return u² + 0.12 u³: slow on the left, steep on the right, with one minimum in range."""
    return u**2 + 0.12 * u**3


def kinked(u: np.ndarray) -> np.ndarray:
    """Return a curve almost three times as steep on the right: not a polynomial."""
    return np.where(u < 0, 0.6, 1.6) * u**2


def a_slice(
    curve: Callable[[np.ndarray], np.ndarray],
    *,
    log2_opt: float,
    noise_sd: float,
    n_seeds: int,
    rng: np.random.Generator,
    log2_x: np.ndarray | None = None,
    curvature: float = 0.01,
    diverged_from: float = np.inf,
    width: int = 64,
    arm: str = "mup",
) -> Slice:
    """Return a slice of loss 0.5 + curvature·curve(x − opt) + seed effect + noise."""
    x = np.arange(-13.0, -6.0) if log2_x is None else log2_x
    seed_effects = rng.normal(0, 3 * noise_sd, n_seeds)
    loss = 0.5 + curvature * curve(x - log2_opt)[:, None] + seed_effects
    loss = loss + rng.normal(0, noise_sd, loss.shape)
    diverged = x >= diverged_from
    loss[diverged] = np.nan
    return Slice(
        hp="lr",
        arm=arm,
        axis_value=width,
        log2_x=x,
        loss=loss,
        seeds=tuple(range(1, n_seeds + 1)),
        diverged=diverged,
        fixed={},
    )


@dataclass(frozen=True, kw_only=True)
class Law:
    """A planted law of validation loss over (lr, init_std, width, arm).

    loss = 0.4 + width^-0.5 + lr_curvature·curve(log2 lr − opt) + std_curvature·v² + seed effect,
    v = log2 init_std − STD_OPT; the lr optimum moves by ``drift[arm]`` octaves per doubling from
    the base width.
    """

    curve: Callable[[np.ndarray], np.ndarray] = mild_cubic
    lr_curvature: float = 0.01
    std_curvature: float = 0.008
    drift: Mapping[str, float] = None  # type: ignore[assignment]
    noise_sd: float = 0.0005
    diverged_from: Mapping[int, float] | float = np.inf
    target_shift: float = 0.0

    def log2_opt(self, width: int, arm: str) -> float:
        """Return the planted optimum of lr."""
        drift = {"mup": 0.0, "sp": -1.0} if self.drift is None else self.drift
        log2_opt = LR_OPT + drift[arm] * np.log2(width / BASE)
        return float(log2_opt + (self.target_shift if width == TARGET else 0.0))

    def divergence(self, width: int) -> float:
        """Return the log2 lr from which trials diverge."""
        if isinstance(self.diverged_from, Mapping):
            return self.diverged_from.get(width, np.inf)
        return self.diverged_from

    def loss(self, log2_lr: float, log2_std: float, width: int, arm: str) -> float:
        """Return the loss without seed effect and noise."""
        u = log2_lr - self.log2_opt(width, arm)
        lr_part = self.lr_curvature * float(self.curve(np.array(u)))
        return 0.4 + width**-0.5 + lr_part + self.std_curvature * (log2_std - STD_OPT) ** 2


CENTER = {"lr": round_hp(2.0**-8), "init_std": 1.0}
TRANSFERRED = {"lr": round_hp(2.0**LR_OPT), "init_std": round_hp(2.0**STD_OPT)}


def question(**changes: Any) -> TransferQuestion:
    """Return a question about lr and init_std, with changes."""
    values: dict[str, Any] = {
        "parameters": ("lr", "init_std"),
        "search_at": 64,
        "axis_values": WIDTHS,
        "target_at": TARGET,
        "base_width": BASE,
        "seeds": (1, 2),
        "target_seeds": (1, 2),
        "spacing_log2": 1.0,
        "tolerance": Tolerance(kind="rel_loss", value=0.01),
        "center": CENTER,
        "control": "sp",
        "control_parameters": ("lr",),
        "transferred": TRANSFERRED,
        "search_best": {"lr": 0.004, "init_std": 1.1},
    }
    return TransferQuestion(**(values | changes))


def table(
    law: Law,
    question_: TransferQuestion | None = None,
    *,
    seed: int = 0,
    n_search: int = 12,
    reach: int = 4,
) -> pd.DataFrame:
    """Return the table of a finished study under a law."""
    q = question() if question_ is None else question_
    rng = np.random.default_rng(seed)
    rows = _Rows(law, rng, {s: float(rng.normal(0, 0.003)) for s in range(10)})
    for k in range(n_search):
        lr, std = 2.0 ** rng.uniform(-12, -6), 2.0 ** rng.uniform(-2, 2)
        rows.add("search", q.search_at, "mup", 0, round_hp(lr), round_hp(std), generation=k)
    for width in q.axis_values:
        for arm in ("mup", *(["sp"] if q.control else [])):
            middle = round(law.log2_opt(width, arm))
            lattice = np.arange(middle - reach, middle + reach + 1)
            rows.slice("slices", width, arm, q.seeds, "lr", lattice, q.center)
        rows.slice("slices", width, "mup", q.seeds, "init_std", np.arange(-3, 4), q.center)
    if q.transferred is not None:
        middle = round(law.log2_opt(q.target_at, "mup"))
        lattice = np.arange(middle - reach, middle + reach + 1)
        rows.slice("target", q.target_at, "mup", q.target_seeds, "lr", lattice, q.transferred)
        stds = np.arange(-3, 4)
        rows.slice("target", q.target_at, "mup", q.target_seeds, "init_std", stds, q.transferred)
        for width in (q.search_at, q.target_at):
            for s in q.target_seeds:
                rows.add("set", width, "mup", s, q.transferred["lr"], q.transferred["init_std"])
    return from_rows(rows.by_key.values())


# Octaves from the transferred value to the neighbours of a star.
STAR_OFFSET = 1.0


def star_table(
    law: Law,
    question_: TransferQuestion,
    *,
    shares: Sequence[float] = (-1.0, -0.5, 0.5, 1.0),
    seed: int = 0,
) -> pd.DataFrame:
    """Return the table of a study whose target was checked by a star; see `table`."""
    rng = np.random.default_rng(seed)
    rows = _Rows(law, rng, {s: float(rng.normal(0, 0.003)) for s in range(10)})
    q = question_
    assert q.transferred is not None
    for width in q.axis_values:
        middle = round(law.log2_opt(width, "mup"))
        lattice = np.arange(middle - 4, middle + 4.5, 0.5)
        rows.slice("slices", width, "mup", q.seeds, "lr", lattice, q.center)
        rows.slice("slices", width, "mup", q.seeds, "init_std", np.arange(-3, 4), q.center)
    for s in q.target_seeds:
        lr, std = (float(q.transferred[hp] or 0.0) for hp in ("lr", "init_std"))
        rows.add("set", q.target_at, "mup", s, lr, std)
        for share in shares:
            factor = 2.0 ** (share * STAR_OFFSET)
            rows.add("target", q.target_at, "mup", s, round_hp(lr * factor), std)
            rows.add("target", q.target_at, "mup", s, lr, round_hp(std * factor))
    return from_rows(rows.by_key.values())


def evidence(law: Law, *, seed: int, n_seeds: int = 2) -> Fits:
    """Return the slices of lr at the search and the target width, drawn without a table."""
    rng = np.random.default_rng(seed)

    def drawn(width: int, extra: Sequence[float]) -> Fit:
        opt = law.log2_opt(width, "mup")
        x = np.union1d(np.arange(round(opt) - 4.0, round(opt) + 5.0), extra)
        slice_ = a_slice(
            law.curve,
            log2_opt=opt,
            noise_sd=law.noise_sd,
            n_seeds=n_seeds,
            rng=rng,
            log2_x=x,
            curvature=law.lr_curvature,
            diverged_from=law.divergence(width),
            width=width,
        )
        return fit_slice(slice_)

    return Fits(hp="lr", ladder={("mup", 64): drawn(64, [])}, target=drawn(TARGET, [LR_OPT]))


class _Rows:
    """The rows of a table by what identifies a trial."""

    def __init__(
        self, law: Law, rng: np.random.Generator, seed_effects: Mapping[int, float]
    ) -> None:
        self.law, self.rng, self.seed_effects = law, rng, seed_effects
        self.by_key: dict[tuple, dict[str, Any]] = {}

    def slice(
        self,
        stage: str,
        width: int,
        arm: str,
        seeds: Sequence[int],
        hp: str,
        lattice: np.ndarray,
        fixed: Mapping[str, float | None],
    ) -> None:
        for k in lattice:
            hps = {**fixed, hp: round_hp(2.0 ** float(k))}
            for s in seeds:
                self.add(stage, width, arm, s, hps["lr"], hps["init_std"])

    def add(
        self,
        stage: str,
        width: int,
        arm: str,
        seed: int,
        lr: float,
        std: float,
        generation: int | None = None,
    ) -> None:
        shared = "mup" if width == BASE else arm
        key = (shared, width, seed, lr, std)
        if key in self.by_key:
            return
        noise = self.rng.normal(0, self.law.noise_sd)
        loss = (
            self.law.loss(np.log2(lr), np.log2(std), width, shared)
            + self.seed_effects[seed]
            + noise
        )
        diverged = np.log2(lr) >= self.law.divergence(width) - 1e-6
        self.by_key[key] = {
            "schema": 1,
            "trial_id": f"{len(self.by_key):06x}",
            "study": "planted",
            "asked_by": stage,
            "generation": generation,
            "arm": shared,
            "family": "dit",
            "width": width,
            "depth": 2,
            "base_width": BASE,
            "batch_size": 32,
            "steps": 300,
            "seed": seed,
            "hp.lr": lr,
            "hp.init_std": std,
            "hp.weight_decay": None,
            "status": "diverged" if diverged else "done",
            "diverged_step": 40 if diverged else None,
            "val_loss": None if diverged else float(loss),
            "flops": 1e6 * width**2 * (0.2 if diverged else 1.0),
            "device": "cpu",
        }
