"""Sizes of a coordinate check with planted slopes."""

import numpy as np
import pandas as pd

WIDTHS = (32, 64, 128, 256)
NAMES = tuple(f"blocks.{i}" for i in range(20))


def planted(slope=0.0, *, odd=("blocks.7",), kind="change", arm="mup", noise=0.08, **shape):
    """Sizes of twenty series, of which some have a slope, with noise of so many octaves."""
    rng = np.random.default_rng(shape.pop("rng", 0))
    seeds, widths = shape.pop("seeds", 4), shape.pop("widths", WIDTHS)
    return pd.DataFrame(
        {
            "arm": arm,
            "width": width,
            "seed": seed,
            "step": step,
            "kind": kind,
            "name": name,
            "role": shape.get("role"),
            "size": 2
            ** ((slope if name in odd else 0.0) * np.log2(width) + noise * rng.standard_normal()),
        }
        for seed in range(seeds)
        for width in widths
        for step in (1, 2, 3, 4)
        for name in NAMES
    )


def with_control(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows, planted(1.0, arm="sp", seeds=2)])
