"""What lowers the noise between seeds at no cost: `python -m benchmarks.training_noise`.

Trains the model of digits-dit with settings of equal FLOPs and writes
benchmarks/results/training-noise.md. A setting is chosen by its noise at the search width alone;
the wider one shows whether that carries over. No verdict is looked at.
"""

import argparse
import dataclasses
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from benchmarks.calibration.report import markdown

from mutransfer.analysis.fit import noise
from mutransfer.proxies.training.train import Training
from mutransfer.sweep.plan.request import trial
from mutransfer.sweep.spec import reader
from mutransfer.sweep.spec.study import Study

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "training-noise.md"
STUDY, WIDTHS = "digits-dit", (32, 64)
LOG2_LR = (-7.5, -7.0, -6.5, -6.0, -5.5)


class Setting(NamedTuple):
    """What differs from the study: fields of `train`, and the share of the steps that warm up."""

    name: str
    train: dict[str, Any]
    warmup: float = 0.0


SETTINGS = (
    Setting("constant", {"schedule": "constant"}),
    Setting("cosine (the study)", {}),
    Setting("cosine, warmup 5 %", {}, 0.05),
    Setting("cosine, warmup 10 %", {}, 0.1),
    Setting("cosine, warmup 20 %", {}, 0.2),
    Setting("linear decay over all steps", {"schedule": "wsd", "decay_frac": 1.0}),
    Setting("linear over all, warmup 10 %", {"schedule": "wsd", "decay_frac": 0.9}, 0.1),
    Setting("cosine, EMA of 5 %", {"ema_frac": 0.05}),
    Setting("cosine, β₂ 0.95", {"betas": (0.9, 0.95)}),
    Setting("cosine, β₂ 0.99", {"betas": (0.9, 0.99)}),
    Setting("cosine, half the steps, twice the batch", {"steps": 110, "batch_size": 64}),
    Setting("cosine, twice the steps, half the batch", {"steps": 440, "batch_size": 16}),
)


def losses(study: Study, setting: Setting, width: int, seed: int) -> list[float]:
    """Return the validation loss by LR of one seed; NaN where it diverged."""
    changed = dataclasses.replace(study, train=dataclasses.replace(study.train, **setting.train))
    found = []
    for log2_lr in LOG2_LR:
        warmup = round(setting.warmup * changed.train.steps)
        hps = {"lr": 2.0**log2_lr, "warmup_steps": warmup}
        config = trial(changed, axis_value=width, arm="mup", hps=hps, seed=seed)
        training = Training(config)
        for _ in training.run():
            pass
        loss = training.result().val_loss
        found.append(float("nan") if loss is None else loss)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_noise")
    parser.add_argument("--seeds", type=int, default=8, help="(default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=101, help="(default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="%(default)s")
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    args = parser.parse_args()
    study = reader.read(ROOT / "sweeps.yaml", (STUDY,))[STUDY]
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    rows = []
    with ProcessPoolExecutor(args.processes) as pool:
        for setting in SETTINGS:
            row = [setting.name]
            for width in WIDTHS:
                jobs = [pool.submit(losses, study, setting, width, seed) for seed in seeds]
                row += _cells(np.array([job.result() for job in jobs]).T)
            rows.append(row)
            print(" | ".join(row), file=sys.stderr, flush=True)
    args.out.write_text(_report(rows, args), encoding="utf-8")
    print(f"wrote {args.out}")


def _cells(loss: np.ndarray) -> list[str]:
    """Noise of one run and loss at the best of the values, by seed (P, S)."""
    finite = np.isfinite(loss).all(axis=1)
    of_seeds = noise.of_seeds(np.array(LOG2_LR)[finite], loss[finite])
    best = float(np.nanmin(loss.mean(axis=1)))
    at = LOG2_LR[int(np.nanargmin(loss.mean(axis=1)))]
    percent = 100 * of_seeds.shared**0.5 / best
    # A variance of df degrees of freedom has a relative standard error of (2/df)^½, its root half.
    error = percent * (1 / (2 * of_seeds.df)) ** 0.5
    return [f"{percent:.2f} ± {error:.2f}", f"{best:.4f} at 2^{at:g}"]


def _report(rows: list[list[str]], args: argparse.Namespace) -> str:
    head = (
        "# Noise between seeds by training setting\n\n"
        f"`python -m benchmarks.training_noise --seeds {args.seeds} --first-seed "
        f"{args.first_seed}` on {platform.machine()}, {os.cpu_count()} cores: the model of {STUDY} "
        f"under μP at {len(LOG2_LR)} LRs half an octave apart, each setting with the same FLOPs. "
        "Noise: standard deviation of one run beyond what the seed does to all its LRs, % of the "
        "best mean loss, ± its standard error.\n"
    )
    columns = [f"{what}, width {w}" for w in WIDTHS for what in ("noise %", "best loss")]
    return head + "\n" + markdown("Settings", ["setting", *columns], rows)


if __name__ == "__main__":
    main()
