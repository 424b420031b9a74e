"""Stage `search`: the proposals of each generation, by Optuna's samplers, qmc, random or grid.

Proposals are a pure function of the study and the observations: the Optuna study is rebuilt in
memory for each generation, with that generation's seed, so they depend neither on the number of
workers nor on the order in which trials finished. Only this module and the journal of `dashboard`
use Optuna.
"""

import hashlib
import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc
from sklearn.linear_model import LogisticRegression

from mutransfer.sweep.plan.request import HPSet
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.sections import Method
from mutransfer.sweep.spec.study import Study
from mutransfer.words import FINISHED

LEARNING: frozenset[Method] = frozenset({"tpe", "gp"})


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The outcome of one earlier proposal; ``val_loss`` is None unless its status is done."""

    hps: HPSet
    status: str
    val_loss: float | None


def n_generations(study: Study) -> int:
    """Generations of the search: one for a method that does not learn from results."""
    if study.method not in LEARNING:
        return 1
    return -(-study.search.trials // study.search.generation)


def propose(
    study: Study, observations: Sequence[Observation], generation: int
) -> list[dict[str, float]]:
    """The proposals of one generation: for each, every HP of `parameters`, rounded.

    Args:
        study: The study; its seed and the generation give the sampler's seed.
        observations: The outcomes of all earlier generations' proposals, in order.
        generation: The number of the generation, from 0.
    """
    if study.method in LEARNING:
        first = generation * study.search.generation
        size = min(study.search.generation, study.search.trials - first)
        points = _learned_points(study, observations, generation, size)
    else:
        points = _points(study)
    constants = {n: d.value for n, d in study.parameters.items() if isinstance(d, space.Constant)}
    return [
        {name: space.rounded(name, {**constants, **point}[name]) for name in study.parameters}
        for point in points
    ]


def sampler_seed(study: Study, generation: int) -> int:
    """A 32-bit seed of (study seed, generation)."""
    digest = hashlib.sha256(f"{study.seed}/search/{generation}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _learned_points(
    study: Study, observations: Sequence[Observation], generation: int, size: int
) -> list[dict[str, float]]:
    """``size`` points of a sampler that learns from the observations."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {
        name: _optuna_distribution(name, distribution)
        for name, distribution in study.parameters.items()
        if not isinstance(distribution, space.Constant)
    }
    if not distributions:
        return [{}]
    if lowest := _lowest_diverged_lr(observations):
        return _lower_points(distributions, lowest, sampler_seed(study, generation), size)
    startup = min(10, study.search.generation)
    seed = sampler_seed(study, generation)
    samplers: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(n_startup_trials=startup, seed=seed),
        "gp": lambda: optuna.samplers.GPSampler(n_startup_trials=startup, seed=seed),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna_study = optuna.create_study(direction="minimize", sampler=samplers[study.method]())
        for observation in observations:
            trial = _frozen(observation, distributions, study.method)
            if trial is not None:
                optuna_study.add_trial(trial)
        if study.method == "tpe":
            return [dict(optuna_study.ask(distributions).params) for _ in range(size)]
        return _stable_points(study, optuna_study, distributions, observations, size)


def _lowest_diverged_lr(observations: Sequence[Observation]) -> float | None:
    """The lowest learning rate that was tried, where every trial with a result diverged."""
    finished = [observation for observation in observations if observation.status in FINISHED]
    if not finished or any(observation.status != "diverged" for observation in finished):
        return None
    return min(observation.hps["lr"] for observation in finished)


def _lower_points(
    distributions: dict[str, BaseDistribution], lr: float, seed: int, size: int
) -> list[dict[str, float]]:
    """``size`` random points whose learning rate is below ``lr``, where its range has any.

    Neither sampler does this: with no loss to model they draw from the whole range.
    """
    narrowed = dict(distributions)
    if "lr" in narrowed:
        narrowed["lr"] = _below(narrowed["lr"], lr)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [dict(study.ask(narrowed).params) for _ in range(size)]


def _below(distribution: BaseDistribution, value: float) -> BaseDistribution:
    """The part of a distribution below a value; all of it where there is none."""
    if isinstance(distribution, FloatDistribution) and value > distribution.low * (1 + 1e-6):
        return FloatDistribution(distribution.low, value, log=distribution.log)
    if isinstance(distribution, CategoricalDistribution):
        lower = [v for v in distribution.choices if isinstance(v, float) and v < value]
        return CategoricalDistribution(lower) if lower else distribution
    return distribution


def _stable_points(
    study: Study,
    optuna_study: optuna.Study,
    distributions: dict[str, BaseDistribution],
    observations: Sequence[Observation],
    size: int,
) -> list[dict[str, float]]:
    """``size`` points; one that is likely to diverge is replaced, at most ``size`` times in all.

    A rejected point stays pending in the Optuna study, so the sampler does not propose it again.
    """
    likely_to_diverge = _divergence_classifier(study, observations)
    accepted: list[dict[str, float]] = []
    rejected: list[dict[str, float]] = []
    while len(accepted) < size:
        params = dict(optuna_study.ask(distributions).params)
        if len(rejected) < size and likely_to_diverge(params):
            rejected.append(params)
        else:
            accepted.append(params)
    return accepted


def _divergence_classifier(
    study: Study, observations: Sequence[Observation]
) -> Callable[[HPSet], bool]:
    """Whether a proposal is likely to diverge, by logistic regression on the observations."""
    finished = [observation for observation in observations if observation.status in FINISHED]
    diverged = np.array([observation.status == "diverged" for observation in finished])
    if not diverged.any() or diverged.all():
        return lambda params: False
    fractions = np.array([_fractions(study, observation.hps) for observation in finished])
    model = LogisticRegression(C=100.0).fit(fractions, diverged)
    return lambda params: bool(model.predict([_fractions(study, params)])[0])


def _fractions(study: Study, hps: HPSet) -> list[float]:
    """The HPs that vary, each as a fraction of its distribution."""
    return [
        space.fraction_of(distribution, hps[name])
        for name, distribution in study.parameters.items()
        if not isinstance(distribution, space.Constant)
    ]


def _frozen(
    observation: Observation, distributions: Mapping[str, BaseDistribution], method: Method
) -> FrozenTrial | None:
    """The observation as a trial of Optuna; None where there is nothing to learn (failed).

    A diverged trial has no loss and none is invented. For TPE it is PRUNED with a violated
    constraint, so it counts among the bad ones. The GP sampler reads only COMPLETE trials; for it
    a diverged one is RUNNING, so that the same point is not proposed again; ``_stable_points``
    avoids its neighbourhood.
    """
    params = {
        name: _within(observation.hps[name], distribution)
        for name, distribution in distributions.items()
    }
    if observation.status == "done" and observation.val_loss is not None:
        feasible = {"diverged": 0.0}
        return optuna.trial.create_trial(
            params=params,
            distributions=dict(distributions),
            value=observation.val_loss,
            constraints=feasible,
        )
    if observation.status != "diverged":
        return None
    state = TrialState.PRUNED if method == "tpe" else TrialState.RUNNING
    return optuna.trial.create_trial(
        state=state,
        params=params,
        distributions=dict(distributions),
        constraints={"diverged": 1.0} if method == "tpe" else None,
    )


def _within(value: float, distribution: BaseDistribution) -> float | int:
    """The value inside the range: rounding to 6 digits can step over an end."""
    if isinstance(distribution, IntDistribution):
        return int(min(max(value, distribution.low), distribution.high))
    if isinstance(distribution, FloatDistribution):
        return min(max(value, distribution.low), distribution.high)
    return value


def _optuna_distribution(name: str, distribution: space.Distribution) -> BaseDistribution:
    if isinstance(distribution, space.Categorical):
        return CategoricalDistribution(distribution.values)
    if isinstance(distribution, space.Constant):
        raise TypeError(f"{name} is a constant: nothing to propose")
    low, high, log = distribution.min, distribution.max, isinstance(distribution, space.LogUniform)
    if name in space.INTEGER_HPS:
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


def _points(study: Study) -> list[dict[str, float]]:
    """All points of a method that does not learn, as one generation."""
    free = {n: d for n, d in study.parameters.items() if not isinstance(d, space.Constant)}
    n_points = study.search.trials
    if not free:
        return [{}]
    if study.method == "grid":
        per_range = space.grid_points(free, n_points)
        values = [_grid_values(distribution, per_range) for distribution in free.values()]
        return [dict(zip(free, point, strict=True)) for point in itertools.product(*values)]
    seed = sampler_seed(study, 0)
    if study.method == "qmc":
        # Sobol' points are balanced in whole powers of two; those beyond `trials` are cut off.
        sobol = qmc.Sobol(len(free), rng=np.random.default_rng(seed))
        unit = sobol.random_base2((n_points - 1).bit_length())[:n_points]
    else:
        unit = np.random.default_rng(seed).random((n_points, len(free)))
    return [
        {
            name: space.at_fraction(distribution, float(u))
            for (name, distribution), u in zip(free.items(), row, strict=True)
        }
        for row in unit
    ]


def _grid_values(distribution: space.Distribution, n_values: int) -> list[float]:
    if isinstance(distribution, space.Categorical):
        return list(distribution.values)
    return [space.at_fraction(distribution, float(u)) for u in np.linspace(0, 1, n_values)]
