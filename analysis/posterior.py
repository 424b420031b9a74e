"""The most probable curve through means with known variances, under priors on its shape."""

from typing import NamedTuple

import numpy as np

from analysis import basis

# Standard deviation of a/3, octave^-1, and its limit.
CUBIC_SD = 0.6
MAX_CUBIC = 0.8
# Standard deviation of the bend's random walk, in units of k2 per root octave, and its prior.
ROUGHNESS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ROUGH_PRIOR = -0.5
ROUNDS = 8
SETTLED = 0.01


class Curve(NamedTuple):
    """Coefficients in `basis`, their covariance, asymmetry a, places of the steps, roughness."""

    beta: np.ndarray
    cov: np.ndarray
    a: float
    steps: np.ndarray
    roughness: float


def posterior(u: np.ndarray, m: np.ndarray, variance: np.ndarray, step: float) -> Curve:
    """Return the curve of highest posterior density, its covariance to first order.

    Each round solves for the coefficients at the last asymmetry and moves it by what its
    derivative says (Gauss-Newton). The scale c of the priors is k2 with its standard error. The
    roughness is the root of its posterior mean square on a grid, prior ∝ roughness^ROUGH_PRIOR.

    Args:
        u: (P,) places, octaves from the best value, ascending.
        m: (P,) mean losses.
        variance: (P,) variances of the means.
        step: Octaves beyond the values over which the curve is wanted.
    """
    steps = basis.knots(float(u[0]) - step, float(u[-1]) + step)
    shapes = basis.values(u, 0.0, steps)[:, basis.N_FIXED :]
    data = _Data(u, m - m.mean(), variance, shapes @ shapes.T * basis.KNOT_OCTAVES)
    scale, rho, rough, rounds = _scale(data), 0.0, ROUGHNESS[0], ROUNDS
    while rounds:
        rounds -= 1
        if rounds == 1:
            rough = _roughness(data, rho, scale)
        k, cov, _ = _generalized(data, rho, scale, np.array([rough]))
        scale = float(np.hypot(k[0, 2], np.sqrt(cov[0, 2, 2])))
        last, rho = rho, float(np.clip(rho + k[0, 3] / scale, -MAX_CUBIC, MAX_CUBIC))
        if rounds > 2 and abs(rho - last) < SETTLED:
            rounds = 2
    beta, root = _penalized(data, steps, last, scale, rough)
    beta[0] += m.mean()
    return Curve(beta, root @ root.T, 3 * last, steps, rough)


class _Data(NamedTuple):
    """Places, centred means, their variances, and the covariance of a walk of unit roughness."""

    u: np.ndarray
    m: np.ndarray
    variance: np.ndarray
    walk: np.ndarray


def _scale(data: _Data) -> float:
    """Size of the bend of a plain parabola, with its standard error, loss/octave²."""
    error = np.sqrt(data.variance)
    design = data.u[:, None] ** np.arange(3) / error[:, None]
    k = np.linalg.lstsq(design, data.m / error, rcond=None)[0]
    cov = np.linalg.pinv(design.T @ design)
    return float(np.hypot(k[2], np.sqrt(max(cov[2, 2], 0.0))))


def _roughness(data: _Data, rho: float, scale: float) -> float:
    """Root of the posterior mean square of the roughness, from the marginal likelihood."""
    grid = np.array(ROUGHNESS)
    log_p = _generalized(data, rho, scale, grid)[2]
    weight = np.exp(log_p - log_p.max()) * grid**ROUGH_PRIOR
    return float(np.sqrt((weight * grid**2).sum() / weight.sum()))


def _generalized(
    data: _Data, rho: float, scale: float, rough: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generalized least squares for k0…k3 with the walk as correlated noise.

    Args:
        data: What to fit.
        rho: Asymmetry at which to linearize.
        scale: c of the priors.
        rough: (R,) roughnesses, each solved for.

    Returns:
        Coefficients (R, 4), their covariances (R, 4, 4), log of the marginal likelihood (R,).
    """
    walk = (rough * scale)[:, None, None] ** 2 * data.walk
    root = np.linalg.cholesky(np.diag(data.variance) + walk)
    known = np.column_stack([basis.values(data.u, 3 * rho, np.zeros(0)), data.m])
    white = np.linalg.solve(root, np.broadcast_to(known, (rough.size, *known.shape)))
    prior = np.array([0.0, 0.0, 0.0, 1.0, -rho * scale]) / (CUBIC_SD * scale)
    rows = np.concatenate([white, np.broadcast_to(prior, (rough.size, 1, 5))], axis=1)
    r = np.asarray(np.linalg.qr(rows, mode="r"))
    inverse = np.linalg.inv(r[:, :4, :4])
    k = (inverse @ r[:, :4, 4:])[:, :, 0]
    misfit = (r[:, 4:, 4] ** 2).sum(axis=1)
    log_det = _log_det(root) + _log_det(r[:, :4, :4])
    return k, inverse @ inverse.transpose(0, 2, 1), -misfit / 2 - log_det


def _log_det(triangular: np.ndarray) -> np.ndarray:
    return np.log(np.abs(np.diagonal(triangular, axis1=1, axis2=2))).sum(axis=1)


def _penalized(
    data: _Data, steps: np.ndarray, rho: float, scale: float, rough: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same estimate with the steps of the walk told: coefficients, root of covariance."""
    n, n_steps, error = data.u.size, steps.size, np.sqrt(data.variance)
    design = np.zeros((n + 1 + n_steps, basis.N_FIXED + n_steps))
    design[:n] = basis.values(data.u, 3 * rho, steps) / error[:, None]
    design[n, 3] = 1.0 / (CUBIC_SD * scale)
    step_sd = rough * scale * basis.KNOT_OCTAVES**0.5
    design[n + 1 :, basis.N_FIXED :] = np.eye(n_steps) / step_sd
    target = np.zeros(len(design))
    target[:n] = data.m / error
    target[n] = -rho / CUBIC_SD
    q, r = np.linalg.qr(design)
    inverse = np.linalg.inv(r)
    return inverse @ (q.T @ target), inverse
