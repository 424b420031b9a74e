"""Validation curves from a planted law, and the tables of a study that compares convergence."""

import numpy as np
import pandas as pd

from mutransfer.analysis.table.table import from_rows
from mutransfer.analysis.transfer.comparison import Comparison

STEPS = np.arange(50.0, 1001.0, 50.0)


def curve(speed: float, noise: float = 0.0, rng: np.random.Generator | None = None) -> np.ndarray:
    """Loss 0.4 + 3/√(speed · step): an arm that is ``speed`` times as fast at every loss."""
    clean = 0.4 + 3 * (speed * STEPS) ** -0.5
    return clean if rng is None else clean + noise * rng.standard_normal(len(STEPS))


HPS = {"lr": 2**-6, "init_std": 1.0}
COMPARISON = Comparison(
    width=128,
    seeds=(1, 2),
    steps=1000,
    n_val=20,
    is_annealed=False,
    mup=HPS,
    sp_default=HPS | {"lr": 2**-10},
    sp_tuned=HPS | {"lr": 2**-8},
)


def row(arm: str, lr: float, seed: int, **more) -> dict:
    """A row of the results table."""
    name = f"{arm}-{lr}-{seed}-{more.get('n_val', 20)}-{more.get('width', 128)}"
    return {
        "schema": 1, "trial_id": name, "study": "s", "asked_by": "convergence", "arm": arm,
        "width": 128, "base_width": 32, "steps": 1000, "n_val": 20, "seed": seed, "hp.lr": lr,
        "hp.init_std": 1.0, "status": "done", "val_loss": 0.5, "flops": 2000.0,
    } | more  # fmt: skip


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results and curves of two seeds: μP twice as fast as default SP, tuned SP 1.6 times."""
    speeds = {("mup", 2**-6): 2.0, ("sp", 2**-10): 1.0, ("sp", 2**-8): 1.6}
    rows, points = [], []
    for (arm, lr), speed in speeds.items():
        for seed in (1, 2):
            rows.append(row(arm, lr, seed))
            losses = curve(speed * (1 + 0.01 * seed))
            points += [
                {"trial_id": rows[-1]["trial_id"], "step": s, "val_loss": v}
                for s, v in zip(STEPS.astype(int), losses, strict=True)
            ]
            points.append({"trial_id": rows[-1]["trial_id"], "step": 975, "val_loss": None})
    # The same HPs without a curve, and another width: neither is compared.
    rows += [row("mup", 2**-6, 1, n_val=1), row("mup", 2**-6, 1, width=64)]
    return from_rows(rows), pd.DataFrame(points)
