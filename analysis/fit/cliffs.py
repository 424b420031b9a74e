"""Cliffs at the ends of a slice: values that are not on the curve of the others.

At the stability edge the loss may jump before anything diverges. A curve that is bent to reach
such values has its minimum elsewhere.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from mutransfer.analysis.fit import valley
from mutransfer.analysis.fit.solve import MIN_VALUES, Solved, solve
from mutransfer.analysis.fit.window import Window

# An end value this many standard errors above what the others foretell is a cliff: fewer are
# enough where its seeds scatter more than the others', as they do at the stability edge, and
# fewer still where other curves of the family have a cliff on that side.
CLIFF_ERRORS, CLIFF_ERRORS_SCATTERED, CLIFF_ERRORS_LIKELY = 3.0, 2.0, 1.5
# Where a cliff is likely, a rough curve that loses this factor of its roughness has one.
SMOOTHER = 3.0
# Ends are tried where noise is uneven, a value as loud as the loudest is as rare as this, or the
# curve is as rough as this; FEW values or less tell the roughness so badly that less is enough.
LOUD = 0.1
ROUGH, ROUGH_OF_FEW, FEW = 1.0, 0.4, 6
BOTH = (-1, 1)


def cut_cliffs(
    windows: list[Window], solved: list[Solved], families: Sequence[int] | None = None
) -> None:
    """Cut cliffs at the ends of the windows off, in place.

    A cliff begins at a value, not next to the best, that lies above what the curve of those
    inside it foretells by more than CLIFF_ERRORS (CLIFF_ERRORS_SCATTERED where it has a variance
    of its own) standard errors, its own included. It is cut off with all beyond it, the most
    surprising first, until none is left or 4 values are. Where half a family or more has a cliff
    on one side, it is likely in the others there: CLIFF_ERRORS_LIKELY are enough, or any where
    the curve without it is SMOOTHER times less rough.
    """
    _cut(windows, solved, {i: BOTH for i, s in enumerate(solved) if _is_rough(s)}, likely=False)
    if families is not None:
        _cut(windows, solved, _likely(windows, families), likely=True)


def _cut(
    windows: list[Window],
    solved: list[Solved],
    open_: Mapping[int, tuple[int, ...]],
    *,
    likely: bool,
) -> None:
    """Cut cliffs of some windows off, each on its sides."""
    while open_:
        tried = [
            (i, *short) for i, sides in open_.items() for short in _shortened(windows[i], sides)
        ]
        rest = solve([less for _, _, less in tried])
        worst: dict[int, tuple[float, Window, Solved]] = {}
        for (i, first, less), found in zip(tried, rest, strict=True):
            sign = _sign_of_cliff(windows[i], solved[i], first, found, likely=likely)
            if sign > worst.get(i, (1.0,))[0]:
                worst[i] = (sign, less, found)
        for i, (_, less, found) in worst.items():
            windows[i], solved[i] = less, found
        open_ = {i: open_[i] for i in worst if likely or _is_rough(solved[i])}


def _sign_of_cliff(
    window: Window, solved: Solved, first: int, rest: Solved, *, likely: bool
) -> float:
    """How much speaks for a cliff from a value on; above 1 it is one."""
    own = float(solved.variance[first])
    surprise = _surprise(window, first, rest, own)
    if not likely:
        scatters = own > 1.5 * float(np.nanmin(solved.variance))
        return surprise / (CLIFF_ERRORS_SCATTERED if scatters else CLIFF_ERRORS)
    smoother = solved.roughness / rest.roughness if rest.beta.size and surprise > 0 else 0.0
    rough = solved.roughness > ROUGH
    return max(surprise / CLIFF_ERRORS_LIKELY, smoother / SMOOTHER if rough else 0.0)


def _likely(windows: Sequence[Window], families: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Sides of windows on which half of their family or more has a cliff."""
    share: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for window, family in zip(windows, families, strict=True):
        if not window.kept.any():
            continue
        gone = window.slice.log2_x[window.near & ~window.kept]
        for side in BOTH:
            share[family, side].append(bool((side * (gone - window.center) > 0).any()))
    found = {
        i: tuple(side for side in BOTH if np.mean(share[family, side] or [False]) >= 0.5)
        for i, family in enumerate(families)
    }
    return {i: sides for i, sides in found.items() if sides}


def _shortened(window: Window, sides: tuple[int, ...]) -> list[tuple[int, Window]]:
    """The window without some values at one of its ends: the innermost of them, what is left.

    The best value, its neighbours and at least 4 values stay.
    """
    at = np.flatnonzero(window.kept)
    if not at.size:
        return []
    best = int(np.abs(window.slice.log2_x[at] - window.center).argmin())
    found = []
    for k in range(at.size):
        gone = at[: k + 1] if k < best else at[k:]
        if np.sign(k - best) in sides and abs(k - best) > 1 and at.size - gone.size > MIN_VALUES:
            less = window.kept.copy()
            less[gone] = False
            found.append((int(at[k]), window._replace(kept=less)))
    return found


def _is_rough(solved: Solved) -> bool:
    """Whether something in the window does not go well with a valley and one noise."""
    known = solved.variance[np.isfinite(solved.variance)]
    scattered = known.size > 0 and np.ptp(known) > 0
    limit = ROUGH if known.size > FEW else ROUGH_OF_FEW
    return bool(scattered or solved.p_loudest < LOUD or solved.roughness > limit)


def _surprise(window: Window, i: int, rest: Solved, own: float) -> float:
    """How many standard errors a mean lies above the curve of the others."""
    if not rest.beta.size:
        return 0.0
    row = valley.values(window.slice.log2_x[i : i + 1] - window.center, rest.a, rest.steps)[0]
    error = float(np.sqrt(row @ rest.cov @ row + own))
    return float(window.means[i] - row @ rest.beta) / error
