"""Cliffs at the ends of a slice: values that do not lie on the curve of the others.

At the stability edge the loss may jump before anything diverges. A curve that is bent to pass
through such values has its minimum in the wrong place.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from mutransfer.analysis.fit import valley
from mutransfer.analysis.fit.solve import MIN_VALUES, Solved, solve
from mutransfer.analysis.fit.window import Window

# An end value this many standard errors above what the others predict is a cliff. Fewer are
# enough where its seeds scatter more than those of the others, as they do at the stability edge,
# and fewer still where other curves of the family have a cliff on that side.
CLIFF_ERRORS, CLIFF_ERRORS_SCATTERED, CLIFF_ERRORS_LIKELY = 3.0, 2.0, 1.5
# Where a cliff is likely, a rough curve whose roughness falls by this factor without it has one.
SMOOTHER = 3.0
# Ends are tried where the noise is uneven, where a value scatters so much that the p value is
# below LOUD, or where the curve is rougher than ROUGH. FEW values or fewer determine the roughness
# so badly that ROUGH_OF_FEW is enough.
LOUD = 0.1
ROUGH, ROUGH_OF_FEW, FEW = 1.0, 0.4, 6
BOTH_SIDES = (-1, 1)


def cut_cliffs(
    windows: list[Window], solved: list[Solved], families: Sequence[int] | None = None
) -> None:
    """Cut off cliffs at the ends of the windows, in place.

    A cliff begins at a value, not next to the best, that lies above the prediction of the curve of
    those inside it by more than CLIFF_ERRORS standard errors, its own included
    (CLIFF_ERRORS_SCATTERED where it has a separate variance). It is cut off with all values beyond
    it, the most surprising first, until none is left or only 4 values are. Where half of a family
    or more has a cliff on one side, one is likely in the others there: CLIFF_ERRORS_LIKELY are
    enough, or any excess where the curve without it is SMOOTHER times less rough.
    """
    rough = {i: BOTH_SIDES for i, s in enumerate(solved) if _is_rough(s)}
    _cut(windows, solved, rough, likely=False)
    if families is not None:
        _cut(windows, solved, _likely_sides(windows, families), likely=True)


def _is_rough(solved: Solved) -> bool:
    """Whether something in the window contradicts a valley with one noise variance."""
    variance = solved.variance[np.isfinite(solved.variance)]
    scattered = variance.size > 0 and np.ptp(variance) > 0
    limit = ROUGH if variance.size > FEW else ROUGH_OF_FEW
    return bool(scattered or solved.p_loudest < LOUD or solved.roughness > limit)


def _likely_sides(windows: Sequence[Window], families: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Sides of each window on which half of its family or more has a cliff."""
    has_cliff: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for window, family in zip(windows, families, strict=True):
        if not window.kept.any():
            continue
        cut = window.slice.log2_x[window.near & ~window.kept]
        for side in BOTH_SIDES:
            has_cliff[family, side].append(bool((side * (cut - window.center) > 0).any()))
    sides = {
        i: tuple(s for s in BOTH_SIDES if np.mean(has_cliff[family, s] or [False]) >= 0.5)
        for i, family in enumerate(families)
    }
    return {i: some for i, some in sides.items() if some}


def _cut(
    windows: list[Window],
    solved: list[Solved],
    sides: Mapping[int, tuple[int, ...]],
    *,
    likely: bool,
) -> None:
    """Cut off cliffs of the windows in ``sides``, each on its sides, until there are none."""
    while sides:
        tried = [(i, *short) for i, some in sides.items() for short in _shortened(windows[i], some)]
        refits = solve([shorter for _, _, shorter in tried])
        worst: dict[int, tuple[float, Window, Solved]] = {}
        for (i, first, shorter), refit in zip(tried, refits, strict=True):
            score = _cliff_score(windows[i], solved[i], first, refit, likely=likely)
            if score > worst.get(i, (1.0,))[0]:
                worst[i] = (score, shorter, refit)
        for i, (_, shorter, refit) in worst.items():
            windows[i], solved[i] = shorter, refit
        sides = {i: sides[i] for i in worst if likely or _is_rough(solved[i])}


def _shortened(window: Window, sides: tuple[int, ...]) -> list[tuple[int, Window]]:
    """The windows without some values at one end, each with the index of the innermost of them.

    The best value, its neighbours and at least 4 values stay.
    """
    at = np.flatnonzero(window.kept)
    if not at.size:
        return []
    best = int(np.abs(window.slice.log2_x[at] - window.center).argmin())
    shortened = []
    for k in range(at.size):
        cut = at[: k + 1] if k < best else at[k:]
        if np.sign(k - best) in sides and abs(k - best) > 1 and at.size - cut.size > MIN_VALUES:
            kept = window.kept.copy()
            kept[cut] = False
            shortened.append((int(at[k]), window._replace(kept=kept)))
    return shortened


def _cliff_score(
    window: Window, solved: Solved, first: int, refit: Solved, *, likely: bool
) -> float:
    """The evidence for a cliff from value ``first`` on; above 1 it is one."""
    variance = float(solved.variance[first])
    surprise = _surprise(window, first, refit, variance)
    if not likely:
        scatters = variance > 1.5 * float(np.nanmin(solved.variance))
        return surprise / (CLIFF_ERRORS_SCATTERED if scatters else CLIFF_ERRORS)
    smoother = solved.roughness / refit.roughness if refit.beta.size and surprise > 0 else 0.0
    rough = solved.roughness > ROUGH
    return max(surprise / CLIFF_ERRORS_LIKELY, smoother / SMOOTHER if rough else 0.0)


def _surprise(window: Window, i: int, refit: Solved, variance: float) -> float:
    """How many standard errors the mean of value ``i`` lies above the curve of the others."""
    if not refit.beta.size:
        return 0.0
    u = window.slice.log2_x[i : i + 1] - window.center
    row = valley.values(u, refit.a, refit.knots)[0]
    error = float(np.sqrt(row @ refit.cov @ row + variance))
    return float(window.means[i] - row @ refit.beta) / error
