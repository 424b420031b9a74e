"""Validation curves of the demo's model at a width: what an early stop sees.

`python -m benchmarks.rivals.curves` writes benchmarks/results/rivals-curves.parquet, once.
"""

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mutransfer.proxies.training.train import Training
from mutransfer.sweep.plan.request import trial
from mutransfer.sweep.spec import reader

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "rivals-curves.parquet"
STUDY, WIDTH, N_VAL, SEEDS = "digits-dit", 128, 11, 4
LOG2_LR = tuple(np.arange(-10.0, -3.0, 0.5).tolist())


def curve(log2_lr: float, seed: int) -> list[dict[str, float]]:
    """Return the validation losses of a run; NaN from its divergence on."""
    study = reader.read(ROOT / "sweeps.yaml", (STUDY,))[STUDY]
    study = dataclasses.replace(
        study, train=dataclasses.replace(study.train, steps=220, n_val=N_VAL)
    )
    config = trial(study, axis_value=WIDTH, arm="mup", hps={"lr": 2.0**log2_lr}, seed=seed)
    training = Training(config)
    losses = {p.step: p.val_loss for p in training.run() if p.val_loss is not None}
    steps = [round(220 * k / N_VAL) for k in range(1, N_VAL + 1)]
    return [
        {"log2_lr": log2_lr, "seed": seed, "step": step, "val_loss": losses.get(step, np.nan)}
        for step in steps
    ]


def load(path: Path = OUT) -> pd.DataFrame:
    """Return the curves: log2_lr, seed, step, val_loss."""
    return pd.read_parquet(path)


def main() -> None:
    """Train the runs and write their curves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals.curves")
    parser.add_argument("--processes", type=int, default=2, help="(default: %(default)s)")
    args = parser.parse_args()
    rows: list[dict[str, float]] = []
    with ProcessPoolExecutor(args.processes) as pool:
        for seed in range(1, SEEDS + 1):
            for of_run in pool.map(partial(curve, seed=seed), LOG2_LR):
                rows += of_run
                print(of_run[-1], flush=True)
    pd.DataFrame(rows).to_parquet(OUT, index=False)


if __name__ == "__main__":
    main()
