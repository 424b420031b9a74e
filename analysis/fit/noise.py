"""The noise of a slice: one variance for all values, and a separate one where a value stands out.

Next to the stability edge seeds scatter ten times as much as in the basin (measured on
digits). Pooling that into one variance ruins every interval; a variance for each value from
two seeds is worthless. So values share one variance unless their own, moderated by empirical-Bayes
shrinkage, stands out. The curves of a family, the axis values of one HP and arm, are shrunk
towards one another in the same way (`moderated`). A seed may also prefer smaller or larger values,
which tilts its whole curve: an error that more values do not average out (`tilt_ratio`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.optimize import brentq

# Prior degrees of freedom of the variance of a value (Smyth 2004 estimates 3-5 in other fields).
PRIOR_DF = 4.0
# A moderated variance over this many times the shared one is kept separate: by chance in under 1 %
# of the values, whether there are 2, 3 or 5 seeds.
STANDS_OUT = 3.0
# Below this share of the size of the losses, scatter is rounding error of the arithmetic.
ROUNDING = 1e-9
MAX_ROUNDS = 6
# Prior degrees of freedom of the variance of the tilts, which the values' own residuals are.
TILT_PRIOR_DF = 2.0
# Grids of `moderated`: prior degrees of freedom, log of the prior variance about its middle, its
# exponent as a power of the axis value; and the prior standard deviation of that exponent.
FAMILY_DF = 2.0 ** np.arange(8)
LOG_VARIANCE = np.linspace(-3, 3, 21)
NOISE_SLOPES, NOISE_SLOPE_SD = np.linspace(-2.5, 2.5, 11), 1.0
# The same of `predicted`, where a further curve's noise is near that of the others: per doubling
# the variance of seed × lr changes by factors of 1.05, 0.2, 1 and 0.5 in the four families of
# benchmarks/results/dense.md. A prior that follows a falling noise further errs in 10 instead of
# 6 % where noises are equal and 5 % are asked for.
PREDICTED_DF, PREDICTED_SLOPES, PREDICTED_SLOPE_SD = FAMILY_DF[4:], np.linspace(-0.4, 0.4, 5), 1.0
# Nodes of less weight are left out there, and one-sided errors at which quantiles agree.
MIN_WEIGHT = 1e-6
QUANTILES = (0.05, 0.01)
MATCHED_DF = np.geomspace(1.0, 1000.0, 200)


class Noise(NamedTuple):
    """Noise of single losses.

    Attributes:
        shared: Variance that the values share, loss².
        each: (P,) variance of one loss at each value: ``shared``, or a separate one.
        df: Residual degrees of freedom of ``shared``.
        tilts: Sum of squares of the seeds' own tilts in units of ``shared``, and ``tilt_df``, its
            degrees of freedom: about equal without tilts.
    """

    shared: float
    each: np.ndarray
    df: float
    tilts: float = 0.0
    tilt_df: float = 0.0


def of_seeds(log2_x: np.ndarray, loss: np.ndarray, *, paired: bool = True) -> Noise:
    """Return the noise from the differences between seeds beyond their additive effects.

    Residuals of y_ij = m_i + b_j, b_j the effect of seed j, so pure error: no curve is assumed.
    The moderated variance of a value is (d0·s² + SS_i) / (d0 + d_i) with s² the shared variance.

    Args:
        log2_x: (P,) log2 of the values.
        loss: (P, S) losses of P ≥ 2 values, NaN where one is missing.
        paired: A column is a seed; False: the columns only number the runs of each value, and
            there is no effect of a seed to remove.

    Source: moderation: Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1), article 3, eq. 3.
    """
    # Not 0 where all losses are.
    floor = (ROUNDING * max(float(np.nanmax(np.abs(loss))), 1e-100)) ** 2
    dof = np.maximum(np.isfinite(loss).sum(axis=1) - 1.0, 0.0)
    n_values = len(loss)
    # The seed effects use up residual degrees of freedom: a share of (P − 1)/P is left.
    left = (n_values - 1) / n_values if paired else 1.0
    separate = np.zeros(n_values, dtype=bool)
    each = np.ones(n_values)
    shared = 0.0
    for round_ in range(MAX_ROUNDS):
        residual = _residuals(loss, 1.0 / each, paired=paired)
        squares = np.nansum(residual**2, axis=1) / left + floor * dof
        if round_ == 0:
            shared = _median_variance(squares, dof) + floor
        shrunk = (PRIOR_DF * shared + squares) / (PRIOR_DF + dof)
        before, separate = separate, shrunk > STANDS_OUT * shared
        # Where many stand out, the others agree by chance.
        if separate.sum() > max(n_values // 3, 1):
            separate = np.zeros(n_values, dtype=bool)
        shared = float(squares[~separate].sum() / max(dof[~separate].sum(), 1.0)) + floor
        each = np.where(separate, shrunk, shared)
        # Another round if the set changed: noisy values weigh less in the seed effects then.
        if (separate == before).all():
            break
    df = float(dof[~separate].sum() * left)
    if not paired or n_values < 3:
        return Noise(shared, each, df)
    return Noise(shared, each, df, *_tilts(log2_x, residual, each))


def _residuals(loss: np.ndarray, weight: np.ndarray, *, paired: bool) -> np.ndarray:
    """Residuals of y_ij = m_i + b_j; one pass is exact where no cell is missing."""
    present = np.isfinite(loss)
    seed_effect = np.zeros(loss.shape[1])
    cell_weight = np.where(present, weight[:, None], 0.0)
    per_seed = np.maximum(cell_weight.sum(axis=0), 1e-300)
    filled = np.where(present, loss, 0.0)
    n_passes = 0 if not paired else 1 if present.all() else 40
    for _ in range(n_passes):
        mean = (present * (filled - seed_effect)).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
        seed_effect = (cell_weight * (filled - mean[:, None])).sum(axis=0) / per_seed
        seed_effect -= seed_effect.mean()
    mean = (present * (filled - seed_effect)).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return np.where(present, loss - mean[:, None] - seed_effect, np.nan)


def _median_variance(squares: np.ndarray, dof: np.ndarray) -> float:
    """Median of the variances of the values, corrected for the skew of χ² (Wilson & Hilferty)."""
    testable = dof > 0
    d = dof[testable]
    return float(np.median(squares[testable] / d / (1 - 2 / (9 * d)) ** 3))


def _tilts(log2_x: np.ndarray, residual: np.ndarray, each: np.ndarray) -> tuple[float, float]:
    """Sum of squares of the tilts of the seeds, each in units of its variance, and its df."""
    present = np.isfinite(residual)
    weight = np.where(present, 1 / each[:, None], 0.0)
    u = log2_x[:, None] - (weight * log2_x[:, None]).sum(axis=0) / weight.sum(axis=0)
    information = (weight * u**2).sum(axis=0)
    kept = information > 0
    tilt = (weight * u * np.where(present, residual, 0.0)).sum(axis=0)[kept]
    return float((tilt**2 / information[kept]).sum()), float(max(kept.sum() - 1, 0))


def tilt_ratio(noises: Sequence[Noise]) -> float:
    """Return the variance of a seed's tilt over that which independent values give it, at least 1.

    Pooled over the curves of a family and shrunk towards 1.
    """
    squares, df = sum(n.tilts for n in noises), sum(n.tilt_df for n in noises)
    return max((TILT_PRIOR_DF + squares) / (TILT_PRIOR_DF + df), 1.0)


class _Posterior(NamedTuple):
    """The posterior of the variances of a family on a grid.

    Attributes:
        weight: (D, V, B) weights of the nodes, of sum 1.
        df: (D, 1, 1, 1) prior degrees of freedom of each.
        prior: (V, B, K) prior variance of each curve.
    """

    weight: np.ndarray
    df: np.ndarray
    prior: np.ndarray


def moderated(
    variance: np.ndarray, df: np.ndarray, doublings: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances of the curves of a family after empirical-Bayes shrinkage.

    The true variances are s0²·2^(b·doublings)·d0/χ²(d0), a power law of the axis value with
    scatter: d0 is large where the curves agree with it. The posterior is averaged over s0², d0 and
    b on a grid, flat in log s0² and log d0, b normal about 0. Where a curve disagrees with the
    others its posterior is wide, which costs degrees of freedom. A single curve is returned
    unchanged.

    Args:
        variance: (K,) variances, loss².
        df: (K,) their degrees of freedom.
        doublings: (K,) log2 of the axis values.

    Returns:
        Moderated variances and their degrees of freedom, at most those of all curves, (K,) each.

    Source: Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1), article 3, eqs. 3-4, with the
    posterior in place of a moment estimate, for which there are too few curves, and with a trend.
    """
    if variance.size < 2:
        return variance, df
    weight, prior_df, prior = _posterior(
        variance, df, doublings, FAMILY_DF, NOISE_SLOPES, NOISE_SLOPE_SD
    )
    # The precision is a mixture of Gamma distributions, replaced by one of equal mean and variance.
    precision = (prior_df + df) / (prior_df * prior + df * variance)
    mean = np.einsum("dvb,dvbk->k", weight, precision)
    square = np.einsum("dvb,dvbk->k", weight, precision**2 * (1 + 2 / (prior_df + df)))
    return 1 / mean, np.minimum(2 * mean**2 / (square - mean**2), df.sum())


def predicted(
    variance: np.ndarray, df: np.ndarray, doublings: np.ndarray, at: int
) -> tuple[float, float]:
    """Return the variance of a further curve of a family and its degrees of freedom.

    As `moderated`, for a curve of which little or nothing is known. An error at it is a mixture of
    t distributions, replaced by the one with its quantiles of 95 and 99 %.

    Args:
        variance: (K,) variances, loss².
        df: (K,) their degrees of freedom; those of the curve may be 0.
        doublings: (K,) log2 of the axis values.
        at: Index of the curve.
    """
    weight, prior_df, prior = _posterior(
        variance, df, doublings, PREDICTED_DF, PREDICTED_SLOPES, PREDICTED_SLOPE_SD
    )
    dfs = np.broadcast_to(prior_df[..., 0] + df[at], weight.shape)
    scale = np.sqrt((prior_df[..., 0] * prior[..., at] + df[at] * variance[at]) / dfs)
    kept = weight > MIN_WEIGHT
    share, dfs, scale = weight[kept] / weight[kept].sum(), dfs[kept], scale[kept]

    def beyond(error: float) -> float:
        low, high = 0.0, float(scale.max() * special.stdtrit(dfs.min(), 1 - error))
        return float(brentq(lambda q: share @ special.stdtr(dfs, -q / scale) - error, low, high))

    few, many = beyond(QUANTILES[0]), beyond(QUANTILES[1])
    of_t = [special.stdtrit(MATCHED_DF, 1 - error) for error in QUANTILES]
    matched = float(np.interp(-many / few, -of_t[1] / of_t[0], MATCHED_DF))
    return (few / float(special.stdtrit(matched, 1 - QUANTILES[0]))) ** 2, matched


def _posterior(
    variance: np.ndarray,
    df: np.ndarray,
    doublings: np.ndarray,
    family_df: np.ndarray,
    slopes: np.ndarray,
    slope_sd: float,
) -> _Posterior:
    measured = df > 0
    prior_df = family_df[:, None, None, None]
    log_variance = np.log(variance[measured]).mean() + LOG_VARIANCE[:, None, None]
    trend = np.log(2) * slopes[:, None] * (doublings - doublings[measured].mean())
    prior = np.exp(log_variance + trend)
    d = df[measured]
    ratio = d * variance[measured] / (prior_df * prior[..., measured])
    log_p = (
        d / 2 * np.log(ratio)
        - (d + prior_df) / 2 * np.log1p(ratio)
        - special.betaln(d / 2, prior_df / 2)
    ).sum(axis=-1) - (slopes / slope_sd) ** 2 / 2
    weight = np.exp(log_p - log_p.max())
    return _Posterior(weight / weight.sum(), prior_df, prior)
