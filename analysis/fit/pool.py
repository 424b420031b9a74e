"""What the widths of one arm tell one another: noise and roughness."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from mutransfer.analysis.fit import noise
from mutransfer.analysis.fit.regression import (
    Shapes,
    log_evidence,
    roughness,
    with_roughness,
)
from mutransfer.analysis.fit.solve import Solved, _curve, _Known, _no_values, _stacks
from mutransfer.analysis.fit.window import Window


def share(
    windows: Sequence[Window], solved: Sequence[Solved], families: Sequence[int]
) -> list[Solved]:
    """Return the curves again, with moderated noise and one roughness for each family.

    How far a curve is from a valley is asked of all curves of a family together: their log
    marginal likelihoods add up. A single rough one makes all rough. A family of one stays as it is.

    Args:
        windows: What was fitted.
        solved: Their curves, each as if it were alone.
        families: A number for each; curves of the same number are one family.
    """
    solved = _one_noise(windows, solved, families)
    size = Counter(f for f, s in zip(families, solved, strict=True) if s.beta.size)
    known = [
        _again(w, s) if s.beta.size and size[f] > 1 else _no_values(s)
        for w, s, f in zip(windows, solved, families, strict=True)
    ]
    stacks = [(which, data, _told(solved, which)) for which, data in _stacks(known)]
    total: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(()))
    for which, data, told in stacks:
        for i, log_p in zip(which, log_evidence(data, told), strict=True):
            total[families[i]] = total[families[i]] + log_p
    found = list(solved)
    for which, data, told in stacks:
        rough = roughness(np.stack([total[families[i]] for i in which]), 1)
        for i, *shape in zip(which, *with_roughness(data, told, rough), strict=True):
            found[i] = _curve(known[i], windows[i].spacing_log2, *shape)
    return found


def _one_noise(
    windows: Sequence[Window], solved: Sequence[Solved], families: Sequence[int]
) -> list[Solved]:
    """The curves with their noise moderated by that of their family (`noise.moderated`).

    Curves of one seed, whose noise is a residual, keep theirs.
    """
    found, members = list(solved), defaultdict(list)
    for i, s in enumerate(solved):
        if s.beta.size and s.n_seeds > 1 and s.df >= 1:
            members[families[i]].append(i)
    for which in members.values():
        told = np.array([(solved[i].noise_var, solved[i].df) for i in which]).T
        doublings = np.log2([windows[i].slice.axis_value for i in which])
        found_noise = zip(*noise.moderated(told[0], told[1], doublings), strict=True)
        for i, (variance, df) in zip(which, found_noise, strict=True):
            found[i] = _with_noise(windows[i], solved[i], float(variance), float(df))
    return found


def _with_noise(window: Window, solved: Solved, variance: float, df: float) -> Solved:
    """The curve with another shared variance; values with a larger one of their own keep it."""
    counts = np.isfinite(window.slice.loss).sum(axis=1)
    shared = solved.variance * counts < solved.noise_var * (1 + 1e-6)
    least = variance / np.maximum(counts, 1)
    each = np.where(shared, least, np.maximum(solved.variance, least))
    return solved._replace(noise_var=variance, df=df, variance=each)


def _again(window: Window, solved: Solved) -> _Known:
    """The values of a curve that is known already."""
    on_curve = window.kept.copy()
    if window.level is not None:
        on_curve[window.level] = False
    u = window.slice.log2_x[on_curve] - window.center
    return _Known(u, window.means[on_curve], solved.variance[on_curve], solved)


def _told(solved: Sequence[Solved], which: Sequence[int]) -> Shapes:
    cells = np.array([(solved[i].scale, solved[i].a / 3, solved[i].roughness) for i in which])
    return Shapes(*cells.T)
