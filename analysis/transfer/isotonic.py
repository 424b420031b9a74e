"""When a noisy loss curve reaches a value: isotonic regression and first passage."""

import numpy as np


def isotonic_fit(steps: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the isotonic regression of a loss curve: log2 steps and losses of pools, (M,) each.

    The nonincreasing curve that is nearest in squares. Neighbours that do not fall are pooled (pool
    adjacent violators); a pool lies at the mean of its log2 steps.

    Args:
        steps: Training steps, (K,) ascending, above 0.
        losses: Loss at each, (K,).
    """
    pools: list[list[float]] = []  # sum of log2 steps, sum of losses, number
    for step, loss in zip(np.log2(steps), losses, strict=True):
        pools.append([float(step), float(loss), 1.0])
        while len(pools) > 1 and pools[-1][1] / pools[-1][2] >= pools[-2][1] / pools[-2][2]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    table = np.array(pools)
    return table[:, 0] / table[:, 2], table[:, 1] / table[:, 2]


def step_at_loss(log2_steps: np.ndarray, losses: np.ndarray, loss: float) -> float | None:
    """Return the step at which a nonincreasing curve first has a loss, interpolated in log step.

    None if it never gets there. A curve that starts below the loss has it at its first point, which
    is later than the true step.
    """
    below = np.flatnonzero(losses <= loss)
    if not below.size:
        return None
    k = int(below[0])
    if k == 0:
        return float(2.0 ** log2_steps[0])
    share = (losses[k - 1] - loss) / (losses[k - 1] - losses[k])
    return float(2.0 ** (log2_steps[k - 1] + share * (log2_steps[k] - log2_steps[k - 1])))
