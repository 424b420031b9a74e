"""Stage `search`: what is proposed next. Beside the journal of `dashboard`, all that knows Optuna.

A proposal is a pure function of the study and of what it was told: the Optuna study is rebuilt in
memory for each generation, with a seed of its own, so the proposals depend neither on the number
of workers nor on the order in which trials finished.
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

from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study

HPSet = Mapping[str, float]
LEARNING = frozenset({"tpe", "gp"})


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What the sampler is told of one earlier proposal; ``val_loss`` is None where it has none."""

    hps: Mapping[str, float]
    status: str
    val_loss: float | None


def n_generations(study: Study) -> int:
    """Generations of the search; a sampler that does not learn asks for everything at once."""
    if study.method not in LEARNING:
        return 1
    return -(-study.search.trials // study.search.generation)


def propose(study: Study, told: Sequence[Observation], generation: int) -> list[dict[str, float]]:
    """The proposals of one generation: for each, every HP of `parameters`, rounded.

    Args:
        study: The study; its seed and the generation give the sampler's seed.
        told: The proposals of all earlier generations, in order, with their outcomes.
        generation: From 0.
    """
    first = generation * study.search.generation
    size = min(study.search.generation, study.search.trials - first)
    learns = study.method in LEARNING
    proposals = _ask(study, told, generation, size) if learns else _points(study)
    constants = {n: d.value for n, d in study.parameters.items() if isinstance(d, space.Constant)}
    return [
        {name: space.rounded(name, {**constants, **point}[name]) for name in study.parameters}
        for point in proposals
    ]


def sampler_seed(study: Study, generation: int) -> int:
    """A 32-bit seed of (study seed, generation)."""
    digest = hashlib.sha256(f"{study.seed}/search/{generation}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _ask(
    study: Study, told: Sequence[Observation], generation: int, size: int
) -> list[dict[str, float]]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {
        name: _optuna_distribution(name, found)
        for name, found in study.parameters.items()
        if not isinstance(found, space.Constant)
    }
    if not distributions:
        return [{}]
    startup = min(10, study.search.generation)
    seed = sampler_seed(study, generation)
    samplers: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(n_startup_trials=startup, seed=seed),
        "gp": lambda: optuna.samplers.GPSampler(n_startup_trials=startup, seed=seed),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        memory = optuna.create_study(direction="minimize", sampler=samplers[study.method]())
        for outcome in told:
            trial = _frozen(outcome, distributions, study.method)
            if trial is not None:
                memory.add_trial(trial)
        if study.method == "tpe":
            return [dict(memory.ask(distributions).params) for _ in range(size)]
        return _stable_asks(study, memory, distributions, told, size)


def _stable_asks(
    study: Study,
    memory: optuna.Study,
    distributions: dict[str, BaseDistribution],
    told: Sequence[Observation],
    size: int,
) -> list[dict[str, float]]:
    """``size`` asks; one that is likely to diverge gives way to another, at most ``size`` times.

    What is passed over stays pending in the study, so the sampler does not ask for it again.
    """
    likely_to_diverge = _divergence_classifier(study, told)
    asked: list[dict[str, float]] = []
    passed_over: list[dict[str, float]] = []
    while len(asked) < size:
        params = dict(memory.ask(distributions).params)
        if len(passed_over) < size and likely_to_diverge(params):
            passed_over.append(params)
        else:
            asked.append(params)
    return asked


def _divergence_classifier(study: Study, told: Sequence[Observation]) -> Callable[[HPSet], bool]:
    """Tells whether a proposal is likely to diverge, by logistic regression."""
    seen = [t for t in told if t.status in ("done", "diverged")]
    diverged = np.array([t.status == "diverged" for t in seen])
    if not diverged.any() or diverged.all():
        return lambda params: False
    places = np.array([_fractions(study, t.hps) for t in seen])
    model = LogisticRegression(C=100.0).fit(places, diverged)
    return lambda params: bool(model.predict([_fractions(study, params)])[0])


def _fractions(study: Study, hps: HPSet) -> list[float]:
    return [space.fraction_of(found, hps[name]) for name, found in study.parameters.items()
            if not isinstance(found, space.Constant)]  # fmt: skip


def _frozen(
    told: Observation, distributions: Mapping[str, BaseDistribution], method: str
) -> FrozenTrial | None:
    """The outcome as Optuna takes it; None where there is nothing to learn (failed).

    A diverged trial has no loss and none is invented. TPE takes it as PRUNED with a violated
    constraint, so it counts among the bad ones. The GP sampler reads only COMPLETE trials, so it
    gets a diverged one as RUNNING, which keeps it from asking for the same point; see
    ``_stable_asks`` for the neighbourhood.
    """
    params = {
        name: _within(told.hps[name], distribution) for name, distribution in distributions.items()
    }
    if told.status == "done" and told.val_loss is not None:
        feasible = {"diverged": 0.0}
        return optuna.trial.create_trial(
            params=params,
            distributions=dict(distributions),
            value=told.val_loss,
            constraints=feasible,
        )
    if told.status != "diverged":
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


def _optuna_distribution(name: str, found: space.Distribution) -> BaseDistribution:
    if isinstance(found, space.Categorical):
        return CategoricalDistribution(found.values)
    if isinstance(found, space.Constant):
        raise TypeError(f"{name} is a constant: nothing to propose")
    log = isinstance(found, space.LogUniform)
    if name in space.INTEGER_HPS:
        return IntDistribution(int(found.min), int(found.max), log=log)
    return FloatDistribution(found.min, found.max, log=log)


def _points(study: Study) -> list[dict[str, float]]:
    """All points of a method that does not learn, as one generation."""
    free = {n: d for n, d in study.parameters.items() if not isinstance(d, space.Constant)}
    n_points = study.search.trials
    if not free:
        return [{}]
    if study.method == "grid":
        per_range = space.grid_points(free, n_points)
        axes = [_axis(found, per_range) for found in free.values()]
        return [dict(zip(free, point, strict=True)) for point in itertools.product(*axes)]
    seed = sampler_seed(study, 0)
    if study.method == "qmc":
        # Whole powers of two keep the balance of Sobol' points; what is beyond `trials` is cut.
        sobol = qmc.Sobol(len(free), rng=np.random.default_rng(seed))
        unit = sobol.random_base2((n_points - 1).bit_length())[:n_points]
    else:
        unit = np.random.default_rng(seed).random((n_points, len(free)))
    return [
        {
            name: space.at_fraction(found, float(u))
            for (name, found), u in zip(free.items(), row, strict=True)
        }
        for row in unit
    ]


def _axis(found: space.Distribution, n_values: int) -> list[float]:
    if isinstance(found, space.Categorical):
        return list(found.values)
    return [space.at_fraction(found, float(u)) for u in np.linspace(0, 1, n_values)]
