"""The cost of the search, as a share of one target run."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Training FLOPs spent, diverged, pruned and failed trials included.

    Attributes:
        total_flops: Sum over all trials.
        by_stage: FLOPs by the stage that first requested the trial.
        trials_by_stage: Trials by stage.
        trials_without_flops: Trials without FLOPs in the table (counted as 0).
        target_flops: FLOPs of one target run; None if unknown.
        share: total_flops / target_flops; None if unknown.
        search_share: The same without the trials that check and compare at the target (stages
            target, set and convergence).
        denominator: The target run in words.
    """

    total_flops: float
    by_stage: dict[str, float]
    trials_by_stage: dict[str, int]
    trials_without_flops: int
    target_flops: float | None
    share: float | None
    search_share: float | None
    denominator: str


def cost(
    df: pd.DataFrame, target_flops: float | None, denominator: str = "one run at the target width"
) -> Cost:
    """Return the FLOPs of all trials of a table by stage and as a share of one target run.

    Args:
        df: A validated results table.
        target_flops: FLOPs of one target run, > 0; None leaves the share out.
        denominator: That run in words.

    Raises:
        ValueError: ``target_flops`` is not above 0.
    """
    if target_flops is not None and not target_flops > 0:
        raise ValueError(f"cost: target_flops must be above 0; got {target_flops}; pass None")
    stages = df["asked_by"].fillna("unknown")
    by_stage = df["flops"].fillna(0.0).groupby(stages).sum()
    total = float(by_stage.sum())
    check = sum(float(by_stage.get(stage, 0.0)) for stage in ("target", "set", "convergence"))
    return Cost(
        total_flops=total,
        by_stage={str(k): float(v) for k, v in by_stage.items()},
        trials_by_stage={str(k): int(v) for k, v in stages.value_counts().sort_index().items()},
        trials_without_flops=int(df["flops"].isna().sum()),
        target_flops=target_flops,
        share=None if target_flops is None else total / target_flops,
        search_share=None if target_flops is None else (total - check) / target_flops,
        denominator=denominator,
    )
