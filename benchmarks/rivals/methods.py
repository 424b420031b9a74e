"""Ways to choose the LR of the target, each with what it cost in target runs."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import optuna
from benchmarks.rivals.worlds import BEST, HIGH, LOW, REL_TOLERANCE, Case, Planted

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.fit.optimum import lowest_point
from mutransfer.analysis.table.slice import Slice, bracket
from mutransfer.analysis.transfer.star import ERRORS_OF_LOOKS, star_of
from mutransfer.analysis.transfer.star_design import star_looks, star_offsets

# Values, octaves between them and seeds: at the proxy, and at each further width of the ladder.
PROXY, RUNG = (9, 0.5, 4), (5, 1.0, 3)
MAX_EXTEND = 4
# Trials of the search at the proxy; the paper's has 80 (arXiv 2505.15270, section 5).
TRIALS, PAPER_TRIALS = 12, 80
# ASHA: a trial of so many stages goes on where it is among the best 1/η.
REDUCTION = 3


class Found(NamedTuple):
    """What a way ends with: the LR, its cost in target runs, and a verdict if it gives one."""

    log2_lr: float
    cost: float
    word: str = ""


def _best(losses: Mapping[float, float]) -> float:
    finite = {x: loss for x, loss in losses.items() if np.isfinite(loss)}
    return min(finite, key=lambda x: finite[x]) if finite else (LOW + HIGH) / 2


def grid(case: Case, rng: np.random.Generator, *, seeds: int = 1) -> Found:
    """Whole octaves of the prior range at the target."""
    target, values = case.widths[-1], np.arange(LOW, HIGH + 1)
    shift = rng.uniform(-0.5, 0.5)
    means = {
        float(x + shift): float(np.mean([case.run(target, x + shift, s + 1) for s in range(seeds)]))
        for x in values
    }
    return Found(_best(means), float(values.size * seeds))


def at_random(case: Case, rng: np.random.Generator, *, width: int, n: int) -> Found:
    """Log-uniform values at a width, one run each."""
    losses = {float(x): case.run(width, float(x), 1) for x in rng.uniform(LOW, HIGH, n)}
    return Found(_best(losses), n * case.shares[width])


def tpe(
    case: Case, rng: np.random.Generator, *, width: int, n: int, early_stop: bool = False
) -> Found:
    """Optuna's TPE at a width, with ASHA if asked for."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
    if early_stop:
        pruner = optuna.pruners.SuccessiveHalvingPruner(reduction_factor=REDUCTION)
    sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)), n_startup_trials=5)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    cost = 0.0

    def objective(of_trial: optuna.Trial) -> float:
        nonlocal cost
        x = of_trial.suggest_float("log2_lr", LOW, HIGH)
        seed = of_trial.number + 1
        curve = case.curve(x, seed) if early_stop else np.array([case.run(width, x, seed)])
        assert curve is not None
        for step, loss in enumerate(curve):
            cost += case.shares[width] / len(curve)
            if not np.isfinite(loss):
                raise optuna.TrialPruned
            of_trial.report(loss, step)
            if step + 1 < len(curve) and of_trial.should_prune():
                raise optuna.TrialPruned
        return float(curve[-1])

    study.optimize(objective, n_trials=n)
    done = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return Found(_best({t.params["log2_lr"]: float(t.value or np.nan) for t in done}), cost)


def ours(case: Case, rng: np.random.Generator) -> Found:
    """Search at the proxy, slices along the ladder, a star at the target."""
    proxy, *rungs, target = case.widths
    search = tpe(case, rng, width=proxy, n=TRIALS)
    centre, cost = round(4 * search.log2_lr) / 4, search.cost
    slices = []
    for width in (proxy, *rungs):
        slice_ = _slice(case, width, centre, *(PROXY if width == proxy else RUNG))
        cost += slice_.loss.size * case.shares[width]
        slices.append(slice_)
    tolerances = [_tolerance(case, slice_) for slice_ in slices]
    fits = fit_slices(slices, tolerance_loss=tolerances, families=[0] * len(slices))
    lowest = lowest_point(fits[0]) if fits[0].ok else None
    chosen = _best(dict(zip(slices[0].log2_x, slices[0].loss.mean(axis=1), strict=True)))
    log2_lr = chosen if lowest is None else float(lowest)
    offsets = star_offsets(fits)
    if offsets is None:
        return Found(log2_lr, cost, "INCONCLUSIVE")
    word, n_runs = _star(case, target, log2_lr, fits, offsets)
    return Found(log2_lr, cost + n_runs, word)


def _tolerance(case: Case, slice_: Slice) -> float:
    """Half a percent of the best loss; planted losses are in tolerances."""
    if isinstance(case, Planted):
        return BEST * REL_TOLERANCE
    return REL_TOLERANCE * float(np.nanmin(slice_.loss.mean(axis=1)))


def _slice(case: Case, width: int, centre: float, n: int, step: float, seeds: int) -> Slice:
    """A slice about a centre, extended until its minimum is bracketed."""
    losses: dict[float, list[float]] = {}

    def measure(values: np.ndarray) -> Slice:
        for x in values:
            losses[float(x)] = [case.run(width, float(x), s + 1) for s in range(seeds)]
        return _as_slice(width, losses)

    slice_ = measure(centre + step * (np.arange(n) - n // 2))
    for _ in range(MAX_EXTEND):
        sides = bracket(slice_)
        ends = [slice_.log2_x[0] - step] * sides.wants_left
        ends += [slice_.log2_x[-1] + step] * sides.wants_right
        if not ends:
            break
        slice_ = measure(np.array(ends))
    return slice_


def _as_slice(width: int, losses: Mapping[float, list[float]]) -> Slice:
    values = np.array(sorted(losses))
    loss = np.array([losses[x] for x in values])
    return Slice(
        hp="lr",
        arm="mup",
        axis_value=width,
        log2_x=np.round(values, 5),
        loss=loss,
        seeds=tuple(range(1, loss.shape[1] + 1)),
        # Without a run that ended there is nothing but a wall.
        diverged=np.isnan(loss).any(axis=1),
        fixed={},
    )


def _star(
    case: Case, target: int, log2_lr: float, fits: list[Fit], offsets: tuple[float, float]
) -> tuple[str, int]:
    """The word after at most three looks, and the runs."""
    runs: dict[float, dict[int, float]] = {}
    word = "INCONCLUSIVE"
    looks = star_looks(fits)
    for look, error in zip(looks, ERRORS_OF_LOOKS[len(looks)], strict=True):
        for share in look.shares:
            at = log2_lr + share * offsets[0 if share < 0 else 1]
            runs.setdefault(at, {})[look.seed] = case.run(target, at, look.seed)
        word = _word(case, target, log2_lr, fits, runs, error)
        if word != "INCONCLUSIVE":
            break
    return word, sum(len(of) for of in runs.values())


def _word(
    case: Case,
    target: int,
    log2_lr: float,
    fits: list[Fit],
    runs: Mapping[float, Mapping[int, float]],
    error: float,
) -> str:
    seeds = sorted({seed for of in runs.values() for seed in of})
    missing = {seed: np.nan for seed in seeds}
    slice_ = _as_slice(target, {x: list({**missing, **of}.values()) for x, of in runs.items()})
    diverged = np.array([any(np.isnan(list(runs[x].values()))) for x in sorted(runs)])
    slice_ = Slice(**{**vars(slice_), "diverged": diverged})
    fit = fit_slices([slice_], tolerance_loss=_tolerance_of_target(case, slice_))[0]
    star = star_of({"lr": fit}, {"lr": fits}, {"lr": round(log2_lr, 5)})
    if star is None:
        return "INCONCLUSIVE"
    bound, tolerance = star.bound(error), star.runs.tolerance_loss
    if bound.upper < tolerance:
        return "PASS"
    return "FAIL" if bound.lower > tolerance and bound.fits else "INCONCLUSIVE"


def _tolerance_of_target(case: Case, slice_: Slice) -> float:
    if isinstance(case, Planted):
        return BEST * REL_TOLERANCE
    return REL_TOLERANCE * float(np.nanmin(np.nanmean(slice_.loss, axis=1)))


Method = Callable[[Case, np.random.Generator], Found]
METHODS: Mapping[str, Method] = {
    "grid of whole octaves at the target": grid,
    "the same, 3 seeds": lambda case, rng: grid(case, rng, seeds=3),
    "random at the target, 8 trials": lambda case, rng: at_random(
        case, rng, width=case.widths[-1], n=8
    ),
    "random at the target, 24 trials": lambda case, rng: at_random(
        case, rng, width=case.widths[-1], n=24
    ),
    "TPE at the target, 12 trials": lambda case, rng: tpe(case, rng, width=case.widths[-1], n=12),
    "TPE at the target, 24 trials": lambda case, rng: tpe(case, rng, width=case.widths[-1], n=24),
    "TPE + ASHA at the target, 24 trials": lambda case, rng: tpe(
        case, rng, width=case.widths[-1], n=24, early_stop=True
    ),
    "random at the proxy, 80 trials (the paper)": lambda case, rng: at_random(
        case, rng, width=case.widths[0], n=PAPER_TRIALS
    ),
    "TPE at the proxy, 24 trials": lambda case, rng: tpe(case, rng, width=case.widths[0], n=24),
    "ours: search, ladder, star": ours,
}
