"""The noise of a slice: one variance for all values, and an own one where a value stands out.

Next to the stability edge seeds scatter ten times as much as in the basin (measured on
digits). Pooling that into one variance ruins every interval; a variance for each value from
two seeds is worthless. So values share one variance unless theirs, moderated, stands out; and
the curves of a family, the widths of one HP and arm, tell theirs to one another (`moderated`).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

# Prior degrees of freedom of a value's variance (Smyth 2004 estimates 3-5 in other fields).
PRIOR_DF = 4.0
# A moderated variance this many times the shared one is its own: by chance in under 1 % of the
# values, whether there are 2, 3 or 5 seeds.
STANDS_OUT = 3.0
# Below this share of the losses' size, scatter is rounding error of the arithmetic.
ROUNDING = 1e-9
MAX_ROUNDS = 6
# Grids of `moderated`: prior degrees of freedom, log of the prior variance about its middle, its
# power of the place; and the standard deviation of that power.
FAMILY_DF = 2.0 ** np.arange(8)
LOG_VARIANCE = np.linspace(-3, 3, 21)
NOISE_SLOPES, NOISE_SLOPE_SD = np.linspace(-2.5, 2.5, 11), 1.0


class Noise(NamedTuple):
    """Noise of single losses.

    Attributes:
        shared: Variance that the values share, loss².
        each: (P,) variance of one loss at each value: ``shared``, or its own.
        df: Degrees of freedom of ``shared``.
        p_loudest: p value of the value that scatters most, against the rest (F test, Bonferroni).
    """

    shared: float
    each: np.ndarray
    df: float
    p_loudest: float


def of_seeds(loss: np.ndarray) -> Noise:
    """Return the noise from what differs between seeds besides their level.

    Residuals of y_ij = m_i + b_j, b_j the level of seed j, so pure error: no curve is assumed.
    A value's moderated variance is (d0·s² + SS_i) / (d0 + d_i) with s² the shared variance.

    Args:
        loss: (P, S) losses of P ≥ 2 values and S ≥ 2 seeds, NaN where one is missing.

    Source: moderation: Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1), article 3, eq. 3.
    """
    floor = (ROUNDING * float(np.nanmax(np.abs(loss)))) ** 2
    count = np.isfinite(loss).sum(axis=1)
    dof = np.maximum(count - 1.0, 0.0)
    n_values = len(loss)
    own = np.zeros(n_values, dtype=bool)
    each = np.ones(n_values)
    shared, p_loudest = 0.0, 1.0
    for round_ in range(MAX_ROUNDS):
        residual = _two_way_residuals(loss, 1.0 / each)
        # The levels take their share of the residuals: (P − 1)/P of it is left.
        squares = np.nansum(residual**2, axis=1) * n_values / (n_values - 1) + floor * dof
        if round_ == 0:
            p_loudest = _p_loudest(squares, dof)
            shared = _median_variance(squares, dof) + floor
        moderated = (PRIOR_DF * shared + squares) / (PRIOR_DF + dof)
        before, own = own, moderated > STANDS_OUT * shared
        # Where many stand out it is the others that agree by chance.
        if own.sum() > max(n_values // 3, 1):
            own = np.zeros(n_values, dtype=bool)
        shared = float(squares[~own].sum() / max(dof[~own].sum(), 1.0)) + floor
        each = np.where(own, moderated, shared)
        # Another round where values went out: they no longer bend the seeds' levels.
        if (own == before).all():
            break
    kept = dof[~own].sum()
    df = float(kept * (n_values - 1) / n_values)
    return Noise(shared=shared, each=each, df=df, p_loudest=p_loudest)


def _p_loudest(squares: np.ndarray, dof: np.ndarray) -> float:
    judged = dof > 0
    squares, dof = squares[judged], dof[judged]
    rest, df_rest = squares.sum() - squares, dof.sum() - dof
    if squares.size < 2:
        return 1.0
    each = special.fdtrc(dof, df_rest, squares / dof * df_rest / rest)
    return min(float(each.min()) * squares.size, 1.0)


def moderated(
    variance: np.ndarray, df: np.ndarray, doublings: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances of the curves of a family, each told by the others as well.

    The true variances are s0²·2^(b·doublings)·d0/χ²(d0), a power law of the place with scatter:
    d0 is large where the curves agree with it. The posterior is averaged over s0², d0 and b on a
    grid, flat in log s0² and log d0, b normal about 0; where a curve disagrees with the others it
    is wide, which costs degrees of freedom. A single curve stays what it is.

    Args:
        variance: (K,) variances, loss².
        df: (K,) their degrees of freedom.
        doublings: (K,) log2 of the places.

    Returns:
        Moderated variances and their degrees of freedom, at most those of all curves, (K,).

    Source: Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1), article 3, eqs. 3-4, with the
    posterior in place of a moment estimate, which few curves do not support, and a trend.
    """
    if variance.size < 2:
        return variance, df
    prior_df = FAMILY_DF[:, None, None, None]
    level = np.log(variance).mean() + LOG_VARIANCE[:, None, None]
    trend = np.log(2) * NOISE_SLOPES[:, None] * (doublings - doublings.mean())
    prior = np.exp(level + trend)
    ratio = df * variance / (prior_df * prior)
    log_p = (
        df / 2 * np.log(ratio)
        - (df + prior_df) / 2 * np.log1p(ratio)
        - special.betaln(df / 2, prior_df / 2)
    ).sum(axis=-1) - (NOISE_SLOPES / NOISE_SLOPE_SD) ** 2 / 2
    weight = np.exp(log_p - log_p.max())
    weight /= weight.sum()
    # Precisions are mixtures of Gamma distributions: the one of the same mean and variance.
    precision = (prior_df + df) / (prior_df * prior + df * variance)
    mean = np.einsum("dvb,dvbk->k", weight, precision)
    square = np.einsum("dvb,dvbk->k", weight, precision**2 * (1 + 2 / (prior_df + df)))
    return 1 / mean, np.minimum(2 * mean**2 / (square - mean**2), df.sum())


def _median_variance(squares: np.ndarray, dof: np.ndarray) -> float:
    """Median of the values' variances, corrected for the skewness of χ² (Wilson & Hilferty)."""
    judged = dof > 0
    d = dof[judged]
    return float(np.median(squares[judged] / d / (1 - 2 / (9 * d)) ** 3))


def _two_way_residuals(loss: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Residuals of value plus seed effects; exact at once where no cell is missing."""
    known = np.isfinite(loss)
    level = np.zeros(loss.shape[1])
    cell_weight = np.where(known, weight[:, None], 0.0)
    per_seed = np.maximum(cell_weight.sum(axis=0), 1e-300)
    filled = np.where(known, loss, 0.0)
    mean = np.zeros(len(loss))
    for _ in range(1 if known.all() else 40):
        mean = (known * (filled - level)).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        level = (cell_weight * (filled - mean[:, None])).sum(axis=0) / per_seed
        level -= level.mean()
    mean = (known * (filled - level)).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known, loss - mean[:, None] - level, np.nan)
