"""When a noisy curve reaches a value: isotonic regression and first passage."""

import numpy as np


def monotone(steps: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the curve that never rises and is nearest in squares: log2 steps and loss of its runs.

    Neighbours that do not fall are pooled (pool adjacent violators); a pool stands at the mean of
    its log2 steps.

    Args:
        steps: Steps, (K,) ascending, above 0.
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


def reached(log2_steps: np.ndarray, losses: np.ndarray, loss: float) -> float | None:
    """Return the step at which a monotone curve reaches a loss, None if it does not.

    One that begins below it is said to reach it at its first point: later than it did.
    """
    below = np.flatnonzero(losses <= loss)
    if not below.size:
        return None
    k = int(below[0])
    if k == 0:
        return float(2.0 ** log2_steps[0])
    share = (losses[k - 1] - loss) / (losses[k - 1] - losses[k])
    return float(2.0 ** (log2_steps[k - 1] + share * (log2_steps[k] - log2_steps[k - 1])))
