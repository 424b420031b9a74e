"""The most probable curves through means with known variances, under priors on their shape.

`Stack` holds slices with the same number of values, (B, P): the scale of the priors, the asymmetry
and the roughness are estimated for all of them in one call, each slice independently of the others.
`Linear` then solves for the coefficients of one curve.
"""

from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit import valley

# Standard deviation of a/3, octave^-1, and its limit.
CUBIC_SD = 0.6
MAX_CUBIC = 0.8
# Grid of the standard deviation of the random walk of f'', in units of k2 per root octave, and the
# exponent of its prior.
ROUGHNESS = np.array([0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
ROUGH_PRIOR = -0.5
ROUNDS = 6
SETTLED = 0.01


class Stack(NamedTuple):
    """B slices of P values.

    Attributes:
        u: (B, P) octaves from the best value.
        m: (B, P) mean losses, centred.
        variance: (B, P) variances of the means.
        walk: (B, P, P) covariances of a random walk of unit roughness.
    """

    u: np.ndarray
    m: np.ndarray
    variance: np.ndarray
    walk: np.ndarray

    def subset(self, index: np.ndarray) -> "Stack":
        """Return the slices at ``index``."""
        return Stack(*(part[index] for part in self))


class Shapes(NamedTuple):
    """Scale c of the priors, asymmetry rho = a/3 and roughness of B curves, (B,) each."""

    scale: np.ndarray
    rho: np.ndarray
    roughness: np.ndarray


def stack(u: np.ndarray, m: np.ndarray, variance: np.ndarray) -> Stack:
    """Return slices as `estimate_shapes` takes them.

    Args:
        u: (B, P) octaves from the best value, ascending.
        m: (B, P) mean losses.
        variance: (B, P) variances of the means.
    """
    knots = valley.knots_between(float(u.min()), float(u.max()))
    spline = valley.outward_distances(u, knots) ** 2 / 2
    walk = spline @ spline.transpose(0, 2, 1) * valley.KNOT_OCTAVES
    return Stack(u, m - m.mean(axis=1, keepdims=True), variance, walk)


def estimate_shapes(data: Stack) -> Shapes:
    """Return the scale, asymmetry and roughness of highest posterior density.

    Each round solves for the coefficients at the last asymmetry and updates it by a Gauss-Newton
    step. The scale c of the priors is the root sum of squares of k2 and its standard error.
    """
    scale, rho = _scales(data), np.zeros(len(data.u))
    moving = np.arange(len(rho))
    for _ in range(ROUNDS):
        last = rho[moving]
        smooth = np.full(moving.size, ROUGHNESS[0])
        scale[moving], rho[moving] = _round(data.subset(moving), scale[moving], last, smooth)
        moving = moving[np.abs(rho[moving] - last) >= SETTLED]
        if not moving.size:
            break
    smoothest = Shapes(scale, rho, np.full(len(rho), ROUGHNESS[0]))
    return with_roughness(data, smoothest, roughness(log_evidence(data, smoothest), 2))


def log_evidence(data: Stack, shapes: Shapes) -> np.ndarray:
    """Return the log marginal likelihood of each roughness of the grid `ROUGHNESS`, (B, R)."""
    grid = np.broadcast_to(ROUGHNESS, (len(shapes.rho), ROUGHNESS.size))
    return _generalized(data, shapes.rho, shapes.scale, grid)[2]


def roughness(log_p: np.ndarray, power: float) -> np.ndarray:
    """Return the root of the posterior mean of roughness^power, (B,).

    Args:
        log_p: (B, R) log marginal likelihood of each of `ROUGHNESS`, whose prior is
            ∝ roughness^ROUGH_PRIOR on this grid, which is even in the logarithm.
        power: 2 for a single curve, which determines its roughness badly; 1 for a family.
    """
    weight = np.exp(log_p - log_p.max(axis=1, keepdims=True)) * ROUGHNESS**ROUGH_PRIOR
    mean = (weight * ROUGHNESS**power).sum(axis=1) / weight.sum(axis=1)
    return np.asarray(mean ** (1 / power))


def with_roughness(data: Stack, shapes: Shapes, rough: np.ndarray) -> Shapes:
    """Return the shapes at another roughness, (B,), by two rounds that start from ``shapes``."""
    scale, rho = _round(data, shapes.scale, shapes.rho, rough)
    return Shapes(_round(data, scale, rho, rough)[0], rho, rough)


def _round(
    data: Stack, scale: np.ndarray, rho: np.ndarray, rough: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and asymmetry after a Gauss-Newton step."""
    k, cov, _ = _generalized(data, rho, scale, rough[:, None])
    new_scale = np.hypot(k[:, 0, 2], np.sqrt(cov[:, 0, 2, 2]))
    return new_scale, np.clip(rho + k[:, 0, 3] / new_scale, -MAX_CUBIC, MAX_CUBIC)


def _scales(data: Stack) -> np.ndarray:
    """Root sum of squares of the k2 of a plain parabola and its error, loss/octave², (B,)."""
    error = np.sqrt(data.variance)[:, :, None]
    design = data.u[:, :, None] ** np.arange(3) / error
    cov = np.linalg.pinv(design.transpose(0, 2, 1) @ design)
    k = cov @ design.transpose(0, 2, 1) @ (data.m[:, :, None] / error)
    return np.hypot(k[:, 2, 0], np.sqrt(np.maximum(cov[:, 2, 2], 0.0)))


def _generalized(
    data: Stack, rho: np.ndarray, scale: np.ndarray, rough: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generalized least squares for k0…k3 with the walk as correlated noise.

    Args:
        data: The slices.
        rho: (B,) asymmetries at which the model is linearized.
        scale: (B,) c of the priors.
        rough: (B, R) roughnesses, each solved for.

    Returns:
        Coefficients (B, R, 4), their covariances (B, R, 4, 4), log marginal likelihood (B, R).
    """
    walk = (rough * scale[:, None])[:, :, None, None] ** 2 * data.walk[:, None]
    noise = data.variance[:, None, :, None] * np.eye(data.u.shape[1])
    root = np.linalg.cholesky(noise + walk)
    system = np.concatenate([valley.fixed_values(data.u, 3 * rho), data.m[:, :, None]], axis=2)
    shape = (*rough.shape, *system.shape[1:])
    white = np.linalg.solve(root, np.broadcast_to(system[:, None], shape))
    prior = np.zeros((*rough.shape, 1, 5))
    prior[..., 3] = (1 / (CUBIC_SD * scale))[:, None, None]
    prior[..., 4] = (-rho / CUBIC_SD)[:, None, None]
    r = np.asarray(np.linalg.qr(np.concatenate([white, prior], axis=2), mode="r"))
    inverse = np.linalg.inv(r[..., :4, :4])
    k = (inverse @ r[..., :4, 4:])[..., 0]
    misfit = (r[..., 4:, 4] ** 2).sum(axis=-1)
    log_det = _log_det(root) + _log_det(r[..., :4, :4])
    return k, inverse @ np.swapaxes(inverse, -1, -2), -misfit / 2 - log_det


def _log_det(triangular: np.ndarray) -> np.ndarray:
    return np.log(np.abs(np.diagonal(triangular, axis1=-2, axis2=-1))).sum(axis=-1)


class Linear(NamedTuple):
    """The linear model of one curve in `valley.values`, at the shape of `estimate_shapes`.

    Attributes:
        u: (P,) octaves from the best value.
        m: (P,) mean losses.
        variance: (P,) variances of the means.
        rho: Asymmetry a/3.
        scale: c of the priors.
        knots: (K,) octaves from the best value at which f'' may change.
        knot_sd: (K,) prior standard deviations of these changes, loss/octave².
    """

    u: np.ndarray
    m: np.ndarray
    variance: np.ndarray
    rho: float
    scale: float
    knots: np.ndarray
    knot_sd: np.ndarray

    def whitened(self) -> tuple[np.ndarray, np.ndarray]:
        """Return design and target with unit variance, values first and then priors."""
        n, n_knots, error = self.u.size, self.knots.size, np.sqrt(self.variance)
        design = np.zeros((n + 1 + n_knots, valley.N_FIXED + n_knots))
        design[:n] = valley.values(self.u, 3 * self.rho, self.knots) / error[:, None]
        design[n, 3] = 1.0 / (CUBIC_SD * self.scale)
        design[n + 1 :, valley.N_FIXED :] = np.diag(1.0 / self.knot_sd)
        target = np.zeros(len(design))
        target[:n] = (self.m - self.m.mean()) / error
        target[n] = -self.rho / CUBIC_SD
        return design, target

    def coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients, (4 + K,), and their covariance."""
        design, target = self.whitened()
        q, r = np.linalg.qr(design)
        root = np.linalg.inv(r)
        beta = root @ (q.T @ target)
        beta[0] += self.m.mean()
        return beta, root @ root.T

    def with_extra_coefficient(
        self, columns: np.ndarray, sd: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the estimate of one extra coefficient, for each of N columns separately.

        Args:
            columns: (P, N) contribution of a unit coefficient to the values.
            sd: Its prior standard deviation about 0.

        Returns:
            Its estimates (N,) and standard errors (N,), and the decrease of the coefficients of
            the model for each unit of it, (4 + K, N).
        """
        design, target = self.whitened()
        q, r = np.linalg.qr(design)
        extra = np.zeros((len(design), columns.shape[1]))
        extra[: self.u.size] = columns / np.sqrt(self.variance)[:, None]
        shared = q.T @ extra
        residual = extra - q @ shared
        precision = (residual**2).sum(axis=0) + sd**-2.0
        return residual.T @ target / precision, precision**-0.5, np.linalg.solve(r, shared)


def knot_sd(scale: float, roughness_: float, n: int) -> np.ndarray:
    """Return the prior standard deviations of the changes of f'' at n knots, loss/octave², (n,)."""
    return np.full(n, roughness_ * scale * valley.KNOT_OCTAVES**0.5)
