"""Slices of many shapes, planted or of measured curves, as strategies of hypothesis."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from benchmarks.dense import tables
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mutransfer.analysis.table.slice import Slice

# Laws hold for every slice, so that the same few are drawn at every run.
FEW = settings(
    derandomize=True,
    max_examples=10,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LOSS, TOLERANCE = 2.5, 0.0125
# Losses in tolerances, u octaves above the minimum; runs at COLLAPSED are stuck there.
COLLAPSED = 200.0
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "valley": lambda u: 20 * (np.exp(0.6 * u) - 1 - 0.6 * u),
    "V": lambda u: np.where(u < 0, -3 * u, 6 * u),
    "wall": lambda u: 2 * (np.exp(2 * u) - 1 - 2 * u),
    "straight branch": lambda u: np.where(u < 0, -3 * u, 20 * u**2),
    "plateau": lambda u: np.where(u < 0, 5 * (1 - np.exp(u)) ** 2, 5 * u**2),
    "collapsed end": lambda u: np.where(u > 1.5, COLLAPSED, 4 * u**2),
}
NO_MINIMUM: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flat": np.zeros_like,
    "falling": lambda u: -3 * u,
    "rising": lambda u: 5 * np.exp(u),
}


def a_slice(x: np.ndarray, loss: np.ndarray, diverged: np.ndarray | None = None) -> Slice:
    """Return a slice of lr with these losses, (P, S); diverged values lose them."""
    mask = np.zeros(x.size, dtype=bool) if diverged is None else diverged
    return Slice(
        hp="lr",
        arm="mup",
        axis_value=64,
        log2_x=x,
        loss=np.where(mask[:, None], np.nan, loss),
        seeds=tuple(range(1, loss.shape[1] + 1)),
        diverged=mask,
        fixed={},
    )


def drawn(
    shape: str,
    seed: int,
    *,
    n_seeds: int = 3,
    noise: float = 0.4,
    n_values: int = 7,
    spacing: float = 1.0,
    is_lattice: bool = True,
    n_missing: int = 0,
    diverges_from: float = np.inf,
) -> Slice:
    """Return a slice whose minimum is at 0, the values at random about it.

    Args:
        shape: Its name in SHAPES or NO_MINIMUM.
        seed: Of all that is random.
        n_seeds: Seeds, each with an effect that its values share.
        noise: Standard deviation of a run, tolerances.
        n_values: Values.
        spacing: Octaves between them, on average.
        is_lattice: At equal distances.
        n_missing: Runs without a result, each of another value.
        diverges_from: Values from so many octaves above the minimum diverge.
    """
    rng = np.random.default_rng(seed)
    steps = np.full(n_values, spacing) if is_lattice else spacing * rng.uniform(0.2, 1.8, n_values)
    x = np.round(np.cumsum(steps) - steps.sum() * rng.uniform(0.4, 0.7), 5)
    mean = {**SHAPES, **NO_MINIMUM}[shape](x)
    errors = noise * (rng.normal(0, 1, (n_values, n_seeds)) + rng.normal(0, 1, n_seeds))
    loss = LOSS + TOLERANCE * (mean[:, None] + errors)
    for i in rng.permutation(n_values)[: n_missing if n_seeds > 1 else 0]:
        loss[i, rng.integers(n_seeds)] = np.nan
    return a_slice(x, loss, x >= diverges_from)


def planted(shapes: Sequence[str] = tuple(SHAPES), **fixed: object) -> st.SearchStrategy[Slice]:
    """Return slices of some shapes; arguments of `drawn` that are given are fixed."""
    varied = {
        "n_seeds": st.integers(1, 4),
        "noise": st.sampled_from((0.1, 0.4, 1.0)),
        "n_values": st.integers(6, 9),
        "is_lattice": st.booleans(),
        "n_missing": st.integers(0, 2),
        "diverges_from": st.sampled_from((np.inf, 2.0)),
    }
    given = {name: st.just(value) for name, value in fixed.items()}
    return st.builds(
        drawn, st.sampled_from(shapes), st.integers(0, 2**32 - 1), **{**varied, **given}
    )


def measured(**fixed: object) -> st.SearchStrategy[Slice]:
    """Return slices of the dense sweeps that are kept; arguments of `of_sweep` may be fixed."""
    families = sorted(path.stem for path in tables.RESULTS.glob("*.parquet"))
    varied = {"n_seeds": st.integers(1, 4), "spacing": st.sampled_from((0.5, 1.0))}
    given = {name: st.just(value) for name, value in fixed.items()}
    return st.builds(
        of_sweep,
        st.sampled_from(families),
        st.integers(0, 2),
        st.integers(0, 2**32 - 1),
        **{**varied, **given},
    )


def of_sweep(family: str, i: int, seed: int, *, n_seeds: int = 3, spacing: float = 1.0) -> Slice:
    """Return a slice of a dense sweep: the i-th width, a value every so many octaves, some seeds.

    Where the sweep has fewer values than that, all of them.
    """
    rng = np.random.default_rng(seed)
    sweep = _sweeps(family)
    losses = sweep[i % len(sweep)]
    stride = max(round(spacing / float(np.diff(losses[:, 0]).min())), 1)
    losses = losses[rng.integers(stride) :: stride]
    columns = rng.permutation(losses.shape[1] - 1)[:n_seeds] + 1
    return a_slice(losses[:, 0], losses[:, columns], np.isnan(losses[:, columns]).any(axis=1))


@cache
def _sweeps(family: str) -> list[np.ndarray]:
    """For each width of a dense sweep: log2 of the value and its losses, (P, 1 + S)."""
    df = tables.load(family)
    widths = sorted(int(width) for width in df["width"].unique())
    return [tables.losses(df, w).dropna(how="all").reset_index().to_numpy() for w in widths]


def slices(**fixed: object) -> st.SearchStrategy[Slice]:
    """Return planted and measured slices."""
    return planted(**fixed) | measured(**{k: v for k, v in fixed.items() if k == "n_seeds"})
