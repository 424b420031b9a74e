"""The most probable curves through means with known variances, under priors on their shape.

Everything here takes a stack of slices with the same number of values, (B, P): the priors' scale,
the asymmetry and the roughness are found for all of them at once, each as if it were alone.
"""

from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit import valley

# Standard deviation of a/3, octave^-1, and its limit.
CUBIC_SD = 0.6
MAX_CUBIC = 0.8
# Standard deviation of the bend's random walk, in units of k2 per root octave, and its prior.
ROUGHNESS = np.array([0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
ROUGH_PRIOR = -0.5
ROUNDS = 6
SETTLED = 0.01


class Stack(NamedTuple):
    """B slices of P values: places, centred means, their variances, walks of unit roughness."""

    u: np.ndarray
    m: np.ndarray
    variance: np.ndarray
    walk: np.ndarray

    def of(self, which: np.ndarray) -> "Stack":
        """Return some of the slices."""
        return Stack(*(part[which] for part in self))


class Shapes(NamedTuple):
    """Scale c of the priors, asymmetry rho = a/3 and roughness of B curves, (B,) each."""

    scale: np.ndarray
    rho: np.ndarray
    roughness: np.ndarray


def stack(u: np.ndarray, m: np.ndarray, variance: np.ndarray) -> Stack:
    """Return slices as `shapes` takes them.

    Args:
        u: (B, P) places, octaves from the best value, ascending.
        m: (B, P) mean losses.
        variance: (B, P) variances of the means.
    """
    steps = valley.knots(float(u.min()), float(u.max()))
    bent = valley.beyond(u, steps) ** 2 / 2
    walk = bent @ bent.transpose(0, 2, 1) * valley.KNOT_OCTAVES
    return Stack(u, m - m.mean(axis=1, keepdims=True), variance, walk)


def shapes(data: Stack) -> Shapes:
    """Return the scale, asymmetry and roughness of highest posterior density.

    Each round solves for the coefficients at the last asymmetry and moves it by what its
    derivative says (Gauss-Newton). The scale c of the priors is k2 with its standard error.
    """
    scale, rho = _scales(data), np.zeros(len(data.u))
    moving = np.arange(len(rho))
    for _ in range(ROUNDS):
        last = rho[moving]
        smooth = np.full(moving.size, ROUGHNESS[0])
        scale[moving], rho[moving] = _round(data.of(moving), scale[moving], last, smooth)
        moving = moving[np.abs(rho[moving] - last) >= SETTLED]
        if not moving.size:
            break
    told = Shapes(scale, rho, np.full(len(rho), ROUGHNESS[0]))
    return with_roughness(data, told, roughness(log_evidence(data, told), 2))


def log_evidence(data: Stack, told: Shapes) -> np.ndarray:
    """Return the log of the marginal likelihood of each of `ROUGHNESS`, (B, R)."""
    grid = np.broadcast_to(ROUGHNESS, (len(told.rho), ROUGHNESS.size))
    return _generalized(data, told.rho, told.scale, grid)[2]


def roughness(log_p: np.ndarray, power: float) -> np.ndarray:
    """Return the root of the posterior mean of roughness^power, (B,).

    Args:
        log_p: (B, R) log of the marginal likelihood of each of `ROUGHNESS`, whose prior is
            ∝ roughness^ROUGH_PRIOR on their grid, even in the logarithm.
        power: 2 for a single curve, which tells its roughness badly; 1 for a family.
    """
    weight = np.exp(log_p - log_p.max(axis=1, keepdims=True)) * ROUGHNESS**ROUGH_PRIOR
    mean = (weight * ROUGHNESS**power).sum(axis=1) / weight.sum(axis=1)
    return np.asarray(mean ** (1 / power))


def with_roughness(data: Stack, told: Shapes, rough: np.ndarray) -> Shapes:
    """Return the shapes of another roughness, (B,): two rounds from those told."""
    scale, rho = _round(data, told.scale, told.rho, rough)
    return Shapes(_round(data, scale, rho, rough)[0], rho, rough)


def _round(
    data: Stack, scale: np.ndarray, rho: np.ndarray, rough: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and asymmetry after a step of Gauss-Newton."""
    k, cov, _ = _generalized(data, rho, scale, rough[:, None])
    moved = np.hypot(k[:, 0, 2], np.sqrt(cov[:, 0, 2, 2]))
    return moved, np.clip(rho + k[:, 0, 3] / moved, -MAX_CUBIC, MAX_CUBIC)


def _scales(data: Stack) -> np.ndarray:
    """Size of the bend of a plain parabola, with its standard error, loss/octave², (B,)."""
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
        data: What to fit.
        rho: (B,) asymmetries at which to linearize.
        scale: (B,) c of the priors.
        rough: (B, R) roughnesses, each solved for.

    Returns:
        Coefficients (B, R, 4), their covariances (B, R, 4, 4), log of the marginal likelihood
        (B, R).
    """
    walk = (rough * scale[:, None])[:, :, None, None] ** 2 * data.walk[:, None]
    noise = data.variance[:, None, :, None] * np.eye(data.u.shape[1])
    root = np.linalg.cholesky(noise + walk)
    known = np.concatenate([valley.fixed(data.u, 3 * rho), data.m[:, :, None]], axis=2)
    shape = (*rough.shape, *known.shape[1:])
    white = np.linalg.solve(root, np.broadcast_to(known[:, None], shape))
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
    """The linear model of one curve in `basis.values`, at the end of `shapes`.

    Attributes:
        u: (P,) places, octaves from the best value.
        m: (P,) mean losses.
        variance: (P,) variances of the means.
        rho: Asymmetry a/3.
        scale: c of the priors.
        steps: (K,) places at which the bend may step.
        step_sd: (K,) prior standard deviations of the steps, loss/octave².
    """

    u: np.ndarray
    m: np.ndarray
    variance: np.ndarray
    rho: float
    scale: float
    steps: np.ndarray
    step_sd: np.ndarray

    def whitened(self) -> tuple[np.ndarray, np.ndarray]:
        """Return design and target, values first and then priors, each with variance 1."""
        n, n_steps, error = self.u.size, self.steps.size, np.sqrt(self.variance)
        design = np.zeros((n + 1 + n_steps, valley.N_FIXED + n_steps))
        design[:n] = valley.values(self.u, 3 * self.rho, self.steps) / error[:, None]
        design[n, 3] = 1.0 / (CUBIC_SD * self.scale)
        design[n + 1 :, valley.N_FIXED :] = np.diag(1.0 / self.step_sd)
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

    def with_one_more(
        self, column: np.ndarray, sd: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what one more coefficient comes to, for each of N columns by itself.

        Args:
            column: (P, N) what the coefficient adds to the values.
            sd: Its prior standard deviation about 0.

        Returns:
            Its estimates (N,) and standard errors (N,), and how the coefficients of the model go
            with it, (4 + K, N): they fall by this for each unit of it.
        """
        design, target = self.whitened()
        q, r = np.linalg.qr(design)
        more = np.zeros((len(design), column.shape[1]))
        more[: self.u.size] = column / np.sqrt(self.variance)[:, None]
        shared = q.T @ more
        rest = more - q @ shared
        precision = (rest**2).sum(axis=0) + sd**-2.0
        return rest.T @ target / precision, precision**-0.5, np.linalg.solve(r, shared)
