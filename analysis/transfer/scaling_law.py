"""How the best loss and the best HP change with width, and whether transfer is worth it.

The exact definitions of Kalra & Barkeshli (arXiv 2605.21486) were not available to us; these
are our working definitions of their three figures:

- L*(n) = L_∞ + A·n^−α, the law of the best loss;
- 𝓔: the law log2 x*(n) = limit + bias/n, fitted to all widths but the widest, foretells the
  widest's optimum: error in octaves, and the loss it implies there, curvature·error²;
- κ = α − 2β + γ with |x*(n) − x_∞| ~ n^−β and curvature ~ n^γ: the regret of the limit's value,
  as a share of what width still has to gain, grows as n^κ; κ < 0 is robust;
- 𝓡(∞): the law's loss at infinite width less the other arm's.

Ghosh et al. (arXiv 2512.22768): transfer is useful where β > α/2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import Optimum, optimum

MIN_WIDTHS = 4
# An exponent counts as found when its standard error is under this share of it.
MAX_RELATIVE_ERROR = 0.5
# A limit further off than this many times what the widths span is not in sight.
MAX_REACH = 5.0
# ln of the largest exponent looked for, and of the inverse of the smallest.
LOG_LIMIT = 4.0
STARTS = (0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """An estimate with its standard error to first order; None with a ``reason``."""

    estimate: float | None
    error: float | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Figures of one HP and arm over widths.

    Attributes:
        hp, arm, widths: What they are of.
        loss_limit: L_∞, loss.
        alpha: Exponent of the best loss.
        beta: Exponent of the distance of the optimum from its limit.
        gamma: Exponent of the curvature, log-log slope.
        error_octaves: 𝓔 in octaves; ``error_loss`` the loss it implies at the widest width.
        kappa: α − 2β + γ.
        useful: β > α/2 with 95 % confidence, or β < α/2, or None: not told apart.
        reason: Why there is nothing at all.
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


def scaling(fits: Sequence[Fit]) -> Scaling | None:
    """Return the scaling figures of one HP and arm; None without any slice.

    Fewer than 4 widths with a bracketed optimum, or an exponent whose standard error exceeds half
    of it, give a reason instead of a number.
    """
    if not fits:
        return None
    places = [(f, o) for f in fits if (o := optimum(f)).bracketed and o.curvature]
    places.sort(key=lambda pair: pair[1].axis_value)
    found = [o for _, o in places]
    axis_values = tuple(o.axis_value for o in found)
    if len(found) < MIN_WIDTHS:
        reason = f"{len(found)} widths with a bracketed optimum; exponents need {MIN_WIDTHS}"
        return _nothing(fits[0], axis_values, reason)
    n = np.array(axis_values, dtype=float)
    limit, alpha = _law(n, np.array([o.loss for o in found]), _loss_errors(found), "α")
    _, beta = _law(n, np.array([o.log2_opt for o in found]), _place_errors(found), "β")
    gamma = _slope(np.log2(n), np.log2([o.curvature or np.nan for o in found]))
    error = _foretold(n, np.array([o.log2_opt for o in found]), _place_errors(found))
    return Scaling(
        hp=fits[0].slice.hp,
        arm=fits[0].slice.arm,
        axis_values=axis_values,
        loss_limit=limit,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        error_octaves=error,
        error_loss=(found[-1].curvature or 0.0) * error**2,
        kappa=_kappa(alpha, beta, gamma),
        useful=_useful(alpha, beta),
    )


def degradation(of: Scaling | None, other: Scaling | None) -> Exponent:
    """Return 𝓡(∞): L_∞ of one arm less that of the other, loss."""
    if of is None or other is None:
        return Exponent(estimate=None, error=None, reason="one arm only")
    a, b = of.loss_limit, other.loss_limit
    if a.estimate is None or b.estimate is None:
        return Exponent(estimate=None, error=None, reason=a.reason or b.reason)
    error = float(np.hypot(a.error or 0.0, b.error or 0.0))
    return Exponent(estimate=a.estimate - b.estimate, error=error)


def _nothing(fitted: Fit, axis_values: tuple[int, ...], reason: str) -> Scaling:
    none = Exponent(estimate=None, error=None, reason=reason)
    return Scaling(
        hp=fitted.slice.hp,
        arm=fitted.slice.arm,
        axis_values=axis_values,
        loss_limit=none,
        alpha=none,
        beta=none,
        gamma=none,
        error_octaves=None,
        error_loss=None,
        kappa=none,
        useful=None,
        reason=reason,
    )


def _loss_errors(found: Sequence[Optimum]) -> np.ndarray:
    half = [((o.loss_high or 0.0) - (o.loss_low or 0.0)) / 4 for o in found]
    return np.maximum(half, 1e-12)


def _place_errors(found: Sequence[Optimum]) -> np.ndarray:
    return np.maximum([((o.log2_high or 0.0) - (o.log2_low or 0.0)) / 4 for o in found], 1e-9)


def _law(n: np.ndarray, y: np.ndarray, error: np.ndarray, name: str) -> tuple[Exponent, Exponent]:
    """Limit + A·(n/n0)^−exponent by weighted least squares from a grid of starts."""
    m = n / n[0]

    def residual(k: np.ndarray) -> np.ndarray:
        return (k[0] + k[1] * m ** -np.exp(k[2]) - y) / error

    tried = [
        least_squares(
            residual,
            [y[-1], y[0] - y[-1], np.log(start)],
            bounds=([-np.inf, -np.inf, -LOG_LIMIT], [np.inf, np.inf, LOG_LIMIT]),
            x_scale="jac",
        )
        for start in STARTS
    ]
    best = min(tried, key=lambda found: found.cost)
    cov = np.linalg.pinv(best.jac.T @ best.jac)
    # Widened where the law misfits (Birge 1932).
    cov *= max(1.0, 2 * best.cost / (n.size - 3))
    relative = float(np.sqrt(cov[2, 2]))
    far = abs(best.x[1]) > MAX_REACH * np.ptp(y)
    if far or not relative <= MAX_RELATIVE_ERROR or np.linalg.matrix_rank(best.jac) < 3:
        reason = f"{name} is not determined: its standard error is over half of it"
        reason = f"{name} is not determined: no limit is in sight" if far else reason
        none = Exponent(estimate=None, error=None, reason=reason)
        return none, none
    exponent = float(np.exp(best.x[2]))
    limit = Exponent(estimate=float(best.x[0]), error=float(np.sqrt(cov[0, 0])))
    return limit, Exponent(estimate=exponent, error=exponent * relative)


def _slope(x: np.ndarray, y: np.ndarray) -> Exponent:
    k, cov = np.polyfit(x, y, 1, cov=True)
    return Exponent(estimate=float(k[0]), error=float(np.sqrt(cov[0, 0])))


def _foretold(n: np.ndarray, x: np.ndarray, error: np.ndarray) -> float:
    """Octaves by which limit + bias/n of the narrower widths misses the widest's optimum."""
    k = np.polyfit(1 / n[:-1], x[:-1], 1, w=1 / error[:-1])
    return float(abs(np.polyval(k, 1 / n[-1]) - x[-1]))


def _kappa(alpha: Exponent, beta: Exponent, gamma: Exponent) -> Exponent:
    if alpha.estimate is None or beta.estimate is None or gamma.estimate is None:
        return Exponent(estimate=None, error=None, reason=alpha.reason or beta.reason)
    parts = (alpha.error or 0.0, 2 * (beta.error or 0.0), gamma.error or 0.0)
    error = float(np.sqrt(np.sum(np.square(parts))))
    return Exponent(estimate=alpha.estimate - 2 * beta.estimate + gamma.estimate, error=error)


def _useful(alpha: Exponent, beta: Exponent) -> bool | None:
    if alpha.estimate is None or beta.estimate is None:
        return None
    gap = beta.estimate - alpha.estimate / 2
    error = float(np.hypot(beta.error or 0.0, (alpha.error or 0.0) / 2))
    return None if abs(gap) < 2 * error else bool(gap > 0)
