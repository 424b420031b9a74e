"""Generated tables: planted truths that must not be judged wrongly, and garbage that is named."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from benchmarks.fuzz.outcome import Tally
from benchmarks.fuzz.values import nasty

from mutransfer.sweep.commands import analyze_table

WIDTHS, SEEDS = (64, 128, 256, 512), (1, 2, 3)
DRIFTS = {"transfers": 0.0, "drifts": -2.0}  # octaves per doubling of the width
WRONG = {"transfers": "FAIL", "drifts": "PASS"}
NOISE_REL = 0.001


def planted(truth: str, rng: random.Random) -> pd.DataFrame:
    """A table with a planted drift of the optimum."""
    centre, steep = rng.uniform(-8, -6), rng.uniform(0.01, 0.04)
    draws = np.random.default_rng(rng.randrange(2**32))
    rows = []
    for step, width in enumerate(WIDTHS):
        optimum = centre + DRIFTS[truth] * step
        for k in range(-12, -1):
            for seed in SEEDS:
                loss = 2 - 0.1 * step + steep * (k - optimum) ** 2
                loss *= 1 + NOISE_REL * draws.standard_normal()
                rows.append({"width": width, "hp.lr": 2.0**k, "seed": seed, "val_loss": loss})
    return pd.DataFrame(rows)


def harmless(df: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
    """The same results otherwise written."""
    changed = df.sample(frac=1, random_state=rng.randrange(2**31))
    if rng.random() < 0.5:
        changed = changed[rng.sample(list(changed.columns), len(changed.columns))]
    if rng.random() < 0.5:
        changed["note"] = [rng.choice(("a", "[b]", "")) for _ in range(len(changed))]
    return changed


def garbage(df: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
    """The table with cells, rows or columns that are wrong."""
    changed = df.astype(object)
    for _ in range(rng.choice((1, 3, 30))):
        row, column = rng.randrange(len(changed)), rng.randrange(changed.shape[1])
        value = nasty(rng)
        changed.iat[row, column] = str(value) if isinstance(value, list | dict) else value
    kind = rng.choice(("cells", "drop column", "few rows", "repeat", "rename"))
    if kind == "drop column":
        return changed.drop(columns=rng.choice(list(changed.columns)))
    if kind == "few rows":
        return changed.head(rng.randrange(6))
    if kind == "repeat":
        return pd.concat([changed, changed.head(rng.randrange(len(changed)))])
    if kind == "rename":
        return changed.rename(columns={rng.choice(list(changed.columns)): str(nasty(rng))})
    return changed


def judge(path: Path) -> str:
    """The verdict on a table by `mutransfer analyze`."""
    result = analyze_table.judge(
        path, columns="", tolerance=analyze_table.TOLERANCE, search_at="", target_at="",
        default="", axis="width", goal="minimize", sep="", decimal="",
    )  # fmt: skip
    return str(result.verdict)


def fuzz(n: int, seed: int, tally: Tally) -> None:
    """Judge ``n`` generated tables: a third with planted truth, the others with garbage."""
    with TemporaryDirectory() as folder:
        for i in range(n):
            rng = random.Random(f"{seed}-{i}")
            truth = rng.choice(tuple(DRIFTS))
            is_planted = i % 3 == 0
            df = planted(truth, rng)
            path = Path(folder) / "table.csv"
            (harmless if is_planted else garbage)(df, rng).to_csv(path, index=False)
            name = f"table {seed}-{i}"
            word = tally.add(name, lambda path=path: judge(path))
            if is_planted and word in (None, WRONG[truth]):
                tally.wrong(name, f"a planted table that {truth} is judged {word}")
