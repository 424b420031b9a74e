"""Scaling laws of the best loss and of the best HP in width, and whether transfer is worth it.

The exact definitions of Kalra & Barkeshli (arXiv 2605.21486) were not available to us; these
are our working definitions of their three figures:

- L*(n) = L_∞ + A·n^−α, the law of the best loss;
- 𝓔: the error of the law log2 x*(n) = limit + bias/n, fitted to all widths but the largest, in
  predicting the optimum of the largest: in octaves, and as the loss that it implies there,
  curvature·error²;
- κ = α − 2β + γ with |x*(n) − x_∞| ~ n^−β and curvature ~ n^γ: the regret of the limit's value, as
  a share of the loss that more width can still gain, grows as n^κ; κ < 0 is robust;
- 𝓡(∞): the law's loss at infinite width minus that of the other arm.

Ghosh et al. (arXiv 2512.22768): transfer is useful where β > α/2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import Optimum, optimum

MIN_WIDTHS = 4
# An exponent counts as determined if its standard error is below this share of it.
MAX_RELATIVE_ERROR = 0.5
# A limit further away than this many times the range of the data is not determined.
MAX_REACH = 5.0
# ln of the largest exponent allowed, and of the inverse of the smallest.
LOG_LIMIT = 4.0
# Exponents at which the search starts.
STARTS = (0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """An estimate with its standard error to first order; None with a ``reason``."""

    estimate: float | None
    error: float | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """Scaling figures of one HP and arm.

    Attributes:
        hp: The HP.
        arm: The arm.
        axis_values: Widths with a bracketed optimum, ascending.
        loss_limit: L_∞, loss.
        alpha: Exponent of the best loss.
        beta: Exponent of the distance of the optimum from its limit.
        gamma: Exponent of the curvature, log-log slope.
        error_octaves: 𝓔 in octaves; ``error_loss`` the loss it implies at the largest width.
        kappa: α − 2β + γ.
        useful: True: β > α/2 with 95 % confidence; False: β < α/2; None: undecided.
        reason: Why there are no figures.
    """

    hp: str
    arm: str
    axis_values: tuple[int, ...]
    loss_limit: Exponent
    alpha: Exponent
    beta: Exponent
    gamma: Exponent
    error_octaves: float | None
    error_loss: float | None
    kappa: Exponent
    useful: bool | None
    reason: str | None = None


def scaling_law(fits: Sequence[Fit]) -> ScalingLaw | None:
    """Return the scaling figures of one HP and arm; None without a slice.

    With fewer than 4 widths with a bracketed optimum, or for an exponent whose standard error
    exceeds half of it, there is a reason instead of a number.
    """
    if not fits:
        return None
    optima = [o for f in fits if (o := optimum(f)).bracketed and o.curvature]
    optima.sort(key=lambda o: o.axis_value)
    axis_values = tuple(o.axis_value for o in optima)
    if len(optima) < MIN_WIDTHS:
        reason = f"{len(optima)} widths with a bracketed optimum; exponents need {MIN_WIDTHS}"
        return _without_figures(fits[0], axis_values, reason)
    n = np.array(axis_values, dtype=float)
    log2_opt, opt_error = np.array([o.log2_opt for o in optima]), _location_errors(optima)
    limit, alpha = _law(n, np.array([o.loss for o in optima]), _loss_errors(optima), "α")
    _, beta = _law(n, log2_opt, opt_error, "β")
    gamma = _slope(np.log2(n), np.log2([o.curvature or np.nan for o in optima]))
    error = _prediction_error(n, log2_opt, opt_error)
    return ScalingLaw(
        hp=fits[0].slice.hp,
        arm=fits[0].slice.arm,
        axis_values=axis_values,
        loss_limit=limit,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        error_octaves=error,
        error_loss=(optima[-1].curvature or 0.0) * error**2,
        kappa=_kappa(alpha, beta, gamma),
        useful=_useful(alpha, beta),
    )


def degradation(law: ScalingLaw | None, other: ScalingLaw | None) -> Exponent:
    """Return 𝓡(∞): L_∞ of one arm minus that of the other, loss."""
    if law is None or other is None:
        return Exponent(estimate=None, error=None, reason="one arm only")
    a, b = law.loss_limit, other.loss_limit
    if a.estimate is None or b.estimate is None:
        return Exponent(estimate=None, error=None, reason=a.reason or b.reason)
    error = float(np.hypot(a.error or 0.0, b.error or 0.0))
    return Exponent(estimate=a.estimate - b.estimate, error=error)


def _without_figures(fitted: Fit, axis_values: tuple[int, ...], reason: str) -> ScalingLaw:
    absent = Exponent(estimate=None, error=None, reason=reason)
    return ScalingLaw(
        hp=fitted.slice.hp,
        arm=fitted.slice.arm,
        axis_values=axis_values,
        loss_limit=absent,
        alpha=absent,
        beta=absent,
        gamma=absent,
        error_octaves=None,
        error_loss=None,
        kappa=absent,
        useful=None,
        reason=reason,
    )


def _loss_errors(optima: Sequence[Optimum]) -> np.ndarray:
    """Standard errors of the best losses: a quarter of their 95 % intervals, (O,)."""
    quarter = [((o.loss_high or 0.0) - (o.loss_low or 0.0)) / 4 for o in optima]
    return np.maximum(quarter, 1e-12)


def _location_errors(optima: Sequence[Optimum]) -> np.ndarray:
    """Standard errors of log2 of the optima: a quarter of their 95 % intervals, (O,)."""
    return np.maximum([((o.log2_high or 0.0) - (o.log2_low or 0.0)) / 4 for o in optima], 1e-9)


def _law(n: np.ndarray, y: np.ndarray, error: np.ndarray, name: str) -> tuple[Exponent, Exponent]:
    """Limit and exponent of limit + A·(n/n0)^−exponent: weighted least squares, several starts."""
    m = n / n[0]

    def residual(k: np.ndarray) -> np.ndarray:
        return (k[0] + k[1] * m ** -np.exp(k[2]) - y) / error

    solutions = [
        least_squares(
            residual,
            [y[-1], y[0] - y[-1], np.log(start)],
            bounds=([-np.inf, -np.inf, -LOG_LIMIT], [np.inf, np.inf, LOG_LIMIT]),
            x_scale="jac",
        )
        for start in STARTS
    ]
    best = min(solutions, key=lambda solution: solution.cost)
    cov = np.linalg.pinv(best.jac.T @ best.jac)
    # Widened where the law does not fit (Birge 1932).
    cov *= max(1.0, 2 * best.cost / (n.size - 3))
    relative = float(np.sqrt(cov[2, 2]))
    is_far = abs(best.x[1]) > MAX_REACH * np.ptp(y)
    if is_far or not relative <= MAX_RELATIVE_ERROR or np.linalg.matrix_rank(best.jac) < 3:
        reason = f"{name} is not determined: its standard error is over half of it"
        reason = (
            f"{name} is not determined: its limit is too far from the data" if is_far else reason
        )
        absent = Exponent(estimate=None, error=None, reason=reason)
        return absent, absent
    exponent = float(np.exp(best.x[2]))
    limit = Exponent(estimate=float(best.x[0]), error=float(np.sqrt(cov[0, 0])))
    return limit, Exponent(estimate=exponent, error=exponent * relative)


def _slope(x: np.ndarray, y: np.ndarray) -> Exponent:
    """Slope of y against x by least squares."""
    k, cov = np.polyfit(x, y, 1, cov=True)
    return Exponent(estimate=float(k[0]), error=float(np.sqrt(cov[0, 0])))


def _prediction_error(n: np.ndarray, x: np.ndarray, error: np.ndarray) -> float:
    """Octaves by which limit + bias/n of the smaller widths misses the optimum of the largest."""
    k = np.polyfit(1 / n[:-1], x[:-1], 1, w=1 / error[:-1])
    return float(abs(np.polyval(k, 1 / n[-1]) - x[-1]))


def _kappa(alpha: Exponent, beta: Exponent, gamma: Exponent) -> Exponent:
    """κ = α − 2β + γ with the errors added in squares."""
    if alpha.estimate is None or beta.estimate is None or gamma.estimate is None:
        return Exponent(estimate=None, error=None, reason=alpha.reason or beta.reason)
    parts = (alpha.error or 0.0, 2 * (beta.error or 0.0), gamma.error or 0.0)
    error = float(np.sqrt(np.sum(np.square(parts))))
    return Exponent(estimate=alpha.estimate - 2 * beta.estimate + gamma.estimate, error=error)


def _useful(alpha: Exponent, beta: Exponent) -> bool | None:
    """Whether β > α/2, None where the difference is below twice its standard error."""
    if alpha.estimate is None or beta.estimate is None:
        return None
    gap = beta.estimate - alpha.estimate / 2
    error = float(np.hypot(beta.error or 0.0, (alpha.error or 0.0) / 2))
    return None if abs(gap) < 2 * error else bool(gap > 0)
