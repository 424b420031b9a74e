"""The cost of a study: FLOPs by stage, in target runs and as a share of the production run."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from mutransfer.words import STAGES


@dataclass(frozen=True, kw_only=True)
class ReferenceRuns:
    """The runs that a cost is compared with; None where they are not known.

    Attributes:
        target_flops: Training FLOPs of one run at the target, > 0.
        production_flops: Training FLOPs of the production run, > 0.
        n_searched: HP sets of the study's search, each trained with one seed.

    Raises:
        ValueError: FLOPs that are not above 0.
    """

    target_flops: float | None = None
    production_flops: float | None = None
    n_searched: int | None = None

    def __post_init__(self) -> None:
        for name in ("target_flops", "production_flops"):
            flops = getattr(self, name)
            if flops is not None and not flops > 0:
                raise ValueError(f"cost: {name} must be above 0; got {flops}; pass None")


@dataclass(frozen=True, kw_only=True)
class Amount:
    """The cost of some trials.

    Attributes:
        n_trials: Their number.
        flops: Training FLOPs.
        target_runs: FLOPs over those of one run at the target; None if these are not known.
        share_of_production: FLOPs over those of the production run; None if there is none.
    """

    n_trials: int
    flops: float
    target_runs: float | None
    share_of_production: float | None


@dataclass(frozen=True, kw_only=True)
class Cost(Amount):
    """The cost of all trials: planned, or spent with diverged, pruned and failed trials included.

    Matrix products of the training steps are counted, forward and backward. Validation, the
    coordinate check and steps that a killed worker had to repeat are not.

    Attributes:
        by_stage: The cost of each stage, by the stage that first requested the trial; its sum is
            the whole.
        n_trials_without_flops: Trials whose FLOPs are not known, counted as 0: their worker died.
        target_flops: FLOPs of one run at the target.
        production_flops: FLOPs of the production run.
        tuning_at_target: The cost of tuning at the target instead: every HP set of the search
            trained there once, with neither slices nor a check; None if either is not known.
    """

    by_stage: dict[str, Amount]
    n_trials_without_flops: int
    target_flops: float | None
    production_flops: float | None
    tuning_at_target: Amount | None


def total(
    by_stage: Mapping[str, tuple[int, float]],
    runs: ReferenceRuns,
    *,
    n_trials_without_flops: int = 0,
) -> Cost:
    """Return the cost of stages.

    Args:
        by_stage: Number of trials and FLOPs of each stage.
        runs: What it is compared with.
        n_trials_without_flops: Trials that were counted with 0 FLOPs.
    """
    order = [*(s for s in STAGES if s in by_stage), *sorted(by_stage.keys() - set(STAGES))]
    stages = {stage: _amount(*by_stage[stage], runs) for stage in order}
    n_trials = sum(stage.n_trials for stage in stages.values())
    all_trials = _amount(n_trials, sum(stage.flops for stage in stages.values()), runs)
    return Cost(
        **vars(all_trials),
        by_stage=stages,
        n_trials_without_flops=n_trials_without_flops,
        target_flops=runs.target_flops,
        production_flops=runs.production_flops,
        tuning_at_target=_tuning_at_target(runs),
    )


def cost_of_table(
    df: pd.DataFrame, runs: ReferenceRuns, *, retried_flops: Mapping[str, float] | None = None
) -> Cost:
    """Return the cost of all rows of a table, whatever their status.

    Args:
        df: A validated results table.
        runs: What the cost is compared with.
        retried_flops: FLOPs by stage of failed attempts that were run again and have no row.
    """
    stages = df["asked_by"].fillna("unknown").astype(str)
    n_trials = stages.value_counts()
    flops = df["flops"].fillna(0.0).groupby(stages).sum()
    retried = retried_flops or {}
    by_stage = {
        stage: (
            int(n_trials.get(stage, 0)),
            float(flops.get(stage, 0.0)) + retried.get(stage, 0.0),
        )
        for stage in {*n_trials.index, *retried}
    }
    return total(by_stage, runs, n_trials_without_flops=int(df["flops"].isna().sum()))


def _tuning_at_target(runs: ReferenceRuns) -> Amount | None:
    if runs.n_searched is None or runs.target_flops is None:
        return None
    return _amount(runs.n_searched, runs.n_searched * runs.target_flops, runs)


def _amount(n_trials: int, flops: float, runs: ReferenceRuns) -> Amount:
    return Amount(
        n_trials=n_trials,
        flops=flops,
        target_runs=None if runs.target_flops is None else flops / runs.target_flops,
        share_of_production=(
            None if runs.production_flops is None else flops / runs.production_flops
        ),
    )
