"""The noise of a slice: one variance for all values, and a separate one where a value stands out.

Next to the stability edge seeds scatter ten times as much as in the basin (measured on
digits). Pooling that into one variance ruins every interval; a variance for each value from
two seeds is worthless. So values share one variance unless their own, moderated by empirical-Bayes
shrinkage, stands out. The curves of a family, the axis values of one HP and arm, are shrunk
towards one another in the same way (`moderated`).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

# Prior degrees of freedom of the variance of a value (Smyth 2004 estimates 3-5 in other fields).
PRIOR_DF = 4.0
# A moderated variance over this many times the shared one is kept separate: by chance in under 1 %
# of the values, whether there are 2, 3 or 5 seeds.
STANDS_OUT = 3.0
# Below this share of the size of the losses, scatter is rounding error of the arithmetic.
ROUNDING = 1e-9
MAX_ROUNDS = 6
# Grids of `moderated`: prior degrees of freedom, log of the prior variance about its middle, its
# exponent as a power of the axis value; and the prior standard deviation of that exponent.
FAMILY_DF = 2.0 ** np.arange(8)
LOG_VARIANCE = np.linspace(-3, 3, 21)
NOISE_SLOPES, NOISE_SLOPE_SD = np.linspace(-2.5, 2.5, 11), 1.0


class Noise(NamedTuple):
    """Noise of single losses.

    Attributes:
        shared: Variance that the values share, loss².
        each: (P,) variance of one loss at each value: ``shared``, or a separate one.
        df: Residual degrees of freedom of ``shared``.
        p_loudest: p value of the value that scatters most against the others (F test, Bonferroni).
    """

    shared: float
    each: np.ndarray
    df: float
    p_loudest: float


def of_seeds(loss: np.ndarray) -> Noise:
    """Return the noise from the differences between seeds beyond their additive effects.

    Residuals of y_ij = m_i + b_j, b_j the effect of seed j, so pure error: no curve is assumed.
    The moderated variance of a value is (d0·s² + SS_i) / (d0 + d_i) with s² the shared variance.

    Args:
        loss: (P, S) losses of P ≥ 2 values and S ≥ 2 seeds, NaN where one is missing.

    Source: moderation: Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1), article 3, eq. 3.
    """
    floor = (ROUNDING * float(np.nanmax(np.abs(loss)))) ** 2
    count = np.isfinite(loss).sum(axis=1)
    dof = np.maximum(count - 1.0, 0.0)
    n_values = len(loss)
    separate = np.zeros(n_values, dtype=bool)
    each = np.ones(n_values)
    shared, p_loudest = 0.0, 1.0
    for round_ in range(MAX_ROUNDS):
        residual = _two_way_residuals(loss, 1.0 / each)
        # The seed effects use up residual degrees of freedom: a share of (P − 1)/P is left.
        squares = np.nansum(residual**2, axis=1) * n_values / (n_values - 1) + floor * dof
        if round_ == 0:
            p_loudest = _p_loudest(squares, dof)
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
    kept = dof[~separate].sum()
    df = float(kept * (n_values - 1) / n_values)
    return Noise(shared=shared, each=each, df=df, p_loudest=p_loudest)


def _two_way_residuals(loss: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Residuals of y_ij = m_i + b_j; one pass is exact where no cell is missing."""
    present = np.isfinite(loss)
    seed_effect = np.zeros(loss.shape[1])
    cell_weight = np.where(present, weight[:, None], 0.0)
    per_seed = np.maximum(cell_weight.sum(axis=0), 1e-300)
    filled = np.where(present, loss, 0.0)
    mean = np.zeros(len(loss))
    for _ in range(1 if present.all() else 40):
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


def _p_loudest(squares: np.ndarray, dof: np.ndarray) -> float:
    """The p value of the most scattered value against the others: F test with Bonferroni."""
    testable = dof > 0
    squares, dof = squares[testable], dof[testable]
    squares_others, dof_others = squares.sum() - squares, dof.sum() - dof
    if squares.size < 2:
        return 1.0
    each = special.fdtrc(dof, dof_others, squares / dof * dof_others / squares_others)
    return min(float(each.min()) * squares.size, 1.0)


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
    prior_df = FAMILY_DF[:, None, None, None]
    log_variance = np.log(variance).mean() + LOG_VARIANCE[:, None, None]
    trend = np.log(2) * NOISE_SLOPES[:, None] * (doublings - doublings.mean())
    prior = np.exp(log_variance + trend)
    ratio = df * variance / (prior_df * prior)
    log_p = (
        df / 2 * np.log(ratio)
        - (df + prior_df) / 2 * np.log1p(ratio)
        - special.betaln(df / 2, prior_df / 2)
    ).sum(axis=-1) - (NOISE_SLOPES / NOISE_SLOPE_SD) ** 2 / 2
    weight = np.exp(log_p - log_p.max())
    weight /= weight.sum()
    # The precision is a mixture of Gamma distributions, replaced by one of equal mean and variance.
    precision = (prior_df + df) / (prior_df * prior + df * variance)
    mean = np.einsum("dvb,dvbk->k", weight, precision)
    square = np.einsum("dvb,dvbk->k", weight, precision**2 * (1 + 2 / (prior_df + df)))
    return 1 / mean, np.minimum(2 * mean**2 / (square - mean**2), df.sum())
