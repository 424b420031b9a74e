"""Laws of the optimum along the axis, averaged by how well they explain the optima of a ladder.

A law is log2 optimum = level + coefficient · term, with a scatter of the optima about it. Given the
scatter all is normal and has closed forms, so a law is a mixture over a grid of scatters; its
weight is its marginal likelihood. No law has to be chosen, and what a ladder does not tell between
them stays in the prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import special
from scipy.optimize import brentq

from mutransfer.words import Axis

LawName = Literal["constant", "drift", "power law", "limit"]

# Prior standard deviations: of a drift, octaves per doubling, where base HPs are to carry over and
# where nothing scales them; of the bias of the smallest axis value, octaves.
DRIFT_SD, UNSCALED_SD, BIAS_SD = 0.3, 0.7, 1.5
# Scatter of optima about their law, octaves: a half normal of this standard deviation on a grid.
SCATTER_SD, SCATTERS = 0.15, np.linspace(0.02, 0.5, 13)


class Law(NamedTuple):
    """A law: its name, whether its term is 1/axis value, and the prior of its coefficient."""

    name: LawName
    is_limit: bool
    sd: float


def laws_of(axis: Axis, *, scaled: bool) -> tuple[Law, ...]:
    """Return the laws that may hold along an axis.

    Along width, depth and parameters: constant; a drift, linear in log2 of the axis value; and
    limit + bias/axis value, as the optimum of a width-n network is off by O(1/n) under μP
    (2505.02222, §4). Along batch size and steps: constant and a power law, linear in log2 too.

    Args:
        axis: The axis.
        scaled: Base HPs are to carry over along it (μP, or a rule); False: nothing scales them.
    """
    sd = DRIFT_SD if scaled else UNSCALED_SD
    constant = Law("constant", False, 0.0)
    if axis in ("batch_size", "steps"):
        return constant, Law("power law", False, sd)
    return constant, Law("drift", False, sd), Law("limit", True, BIAS_SD)


class Point(NamedTuple):
    """An optimum: its axis value, its log2 and the standard error of that, octaves."""

    axis_value: float
    log2_opt: float
    error: float


@dataclass(frozen=True, kw_only=True)
class FittedLaw:
    """One law fitted to the optima of a ladder; plain numbers, ready for JSON.

    Attributes:
        name: ``constant``, ``drift``, ``power law`` (both octaves per doubling) or ``limit``.
        weight: Its posterior probability among the laws.
        log2_level: log2 of the optimum at the smallest axis value n0; of ``limit`` at infinity.
        coefficient: Octaves per doubling; of ``limit`` the bias at n0, octaves; 0 of ``constant``.
            log2 optimum = log2_level + coefficient·log2(n/n0), or + coefficient·n0/n.
        coefficient_sd: Its posterior standard deviation.
    """

    name: LawName
    weight: float
    log2_level: float
    coefficient: float
    coefficient_sd: float


class Mixture(NamedTuple):
    """A mixture of normals: (M,) weights of sum 1, means and standard deviations."""

    weight: np.ndarray
    mean: np.ndarray
    sd: np.ndarray

    def quantile(self, share: float) -> float:
        """Return a quantile."""
        low = float((self.mean - 9 * self.sd).min())
        high = float((self.mean + 9 * self.sd).max())
        return float(
            brentq(
                lambda x: self.weight @ special.ndtr((x - self.mean) / self.sd) - share, low, high
            )
        )

    def with_error(self, error: float) -> "Mixture":
        """Return the mixture of what is observed with an error of this standard deviation."""
        return self._replace(sd=np.hypot(self.sd, error))


class _Component(NamedTuple):
    """A law with a scatter, fitted: log of its evidence, mean (2,) and covariance (2, 2)."""

    law: Law
    scatter: float
    log_evidence: float
    mean: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True, eq=False)
class AveragedLaw:
    """The laws that were fitted to a ladder, averaged.

    Attributes:
        smallest: The smallest axis value.
        components: Each law with each scatter.
        weight: Their posterior probabilities.
    """

    smallest: float
    components: tuple[_Component, ...]
    weight: np.ndarray

    def at(self, axis_value: float) -> Mixture:
        """Return the distribution of log2 of the optimum at an axis value, scatter included."""
        terms = [_terms(c.law, axis_value, self.smallest) for c in self.components]
        pairs = list(zip(self.components, terms, strict=True))
        variance = [t @ c.covariance @ t + c.scatter**2 for c, t in pairs]
        return Mixture(self.weight, np.array([t @ c.mean for c, t in pairs]), np.sqrt(variance))

    def laws(self) -> tuple[FittedLaw, ...]:
        """Return the laws one by one."""
        names = dict.fromkeys(c.law.name for c in self.components)
        return tuple(self._law(name) for name in names)

    def _law(self, name: LawName) -> FittedLaw:
        of_law = np.array([c.law.name == name for c in self.components])
        weight = self.weight[of_law]
        share = weight / max(float(weight.sum()), 1e-300)
        members = [c for c, inside in zip(self.components, of_law, strict=True) if inside]
        level, k = share @ np.array([c.mean for c in members])
        second = share @ np.array([c.covariance[1, 1] + c.mean[1] ** 2 for c in members])
        return FittedLaw(
            name=name,
            weight=float(weight.sum()),
            log2_level=float(level),
            coefficient=float(k),
            coefficient_sd=float(np.sqrt(max(second - k**2, 0.0))),
        )


def averaged_law(points: Sequence[Point], laws: Sequence[Law]) -> AveragedLaw:
    """Return the laws fitted to optima and averaged by marginal likelihood.

    Laws are equally probable before; a level may be anything.
    """
    smallest = min(p.axis_value for p in points)
    components = tuple(_fitted(points, law, s, smallest) for law in laws for s in SCATTERS)
    prior = -((SCATTERS / SCATTER_SD) ** 2) / 2
    log_p = np.array([c.log_evidence for c in components]) + np.tile(prior, len(laws))
    weight = np.exp(log_p - log_p.max())
    return AveragedLaw(smallest, components, weight / weight.sum())


def _terms(law: Law, axis_value: float, smallest: float) -> np.ndarray:
    """What level and coefficient are multiplied by at an axis value, (2,)."""
    ratio = axis_value / smallest
    return np.array([1.0, 1 / ratio if law.is_limit else np.log2(ratio)])


def _fitted(points: Sequence[Point], law: Law, scatter: float, smallest: float) -> _Component:
    """A law with a scatter: Bayesian linear regression, the level flat, the coefficient normal."""
    x = np.array([_terms(law, p.axis_value, smallest) for p in points])
    y = np.array([p.log2_opt for p in points])
    variance = np.array([p.error**2 + scatter**2 for p in points])
    if not law.sd:
        x = x[:, :1]
    prior = np.diag([0.0, 1 / law.sd**2] if law.sd else [0.0])
    normal = (x.T / variance) @ x + prior
    covariance = np.linalg.inv(normal)
    mean = covariance @ ((x.T / variance) @ y)
    misfit = (y - x @ mean) ** 2 @ (1 / variance) + mean @ prior @ mean
    log_evidence = -0.5 * (
        misfit
        + np.log(variance).sum()
        + np.linalg.slogdet(normal)[1]
        + (2 * np.log(law.sd) if law.sd else 0.0)
    )
    if not law.sd:
        mean, covariance = np.append(mean, 0.0), np.diag([covariance[0, 0], 0.0])
    return _Component(law, scatter, float(log_evidence), mean, covariance)
