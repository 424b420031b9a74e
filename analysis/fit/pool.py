"""What the curves of one family share: noise and roughness.

A family is the slices of one HP and arm at several axis values.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from mutransfer.analysis.fit import noise
from mutransfer.analysis.fit.regression import Shapes, log_evidence, roughness, with_roughness
from mutransfer.analysis.fit.solve import CurveData, Solved, curve_of, stacks, without_values
from mutransfer.analysis.fit.window import Window


def share(
    windows: Sequence[Window], solved: Sequence[Solved], families: Sequence[int]
) -> list[Solved]:
    """Return the curves refitted with moderated noise and one roughness for each family.

    How far a curve is from a valley is estimated from all curves of a family together: their log
    marginal likelihoods add up, so that a single rough one makes all rough. The only curve of a
    family is returned unchanged.

    Args:
        windows: The windows that were fitted.
        solved: Their curves, each fitted alone.
        families: A number for each; curves of the same number are one family.
    """
    solved = _share_noise(windows, solved, families)
    size = Counter(f for f, s in zip(families, solved, strict=True) if s.beta.size)
    data = [
        _data_again(w, s) if s.beta.size and size[f] > 1 else without_values(s)
        for w, s, f in zip(windows, solved, families, strict=True)
    ]
    stacked = [(index, part, _shapes(solved, index)) for index, part in stacks(data)]
    total: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(()))
    for index, part, shapes in stacked:
        for i, log_p in zip(index, log_evidence(part, shapes), strict=True):
            total[families[i]] = total[families[i]] + log_p
    refitted = list(solved)
    for index, part, shapes in stacked:
        rough = roughness(np.stack([total[families[i]] for i in index]), 1)
        for i, *shape in zip(index, *with_roughness(part, shapes, rough), strict=True):
            refitted[i] = curve_of(data[i], windows[i].spacing_log2, *shape)
    return refitted


def _share_noise(
    windows: Sequence[Window], solved: Sequence[Solved], families: Sequence[int]
) -> list[Solved]:
    """The curves with their noise moderated by that of their family (`noise.moderated`).

    Curves of one seed, whose noise is a residual, keep theirs.
    """
    moderated, members = list(solved), defaultdict(list)
    for i, s in enumerate(solved):
        if s.beta.size and s.n_seeds > 1 and s.df >= 1:
            members[families[i]].append(i)
    for index in members.values():
        variances, dfs = np.array([(solved[i].noise_var, solved[i].df) for i in index]).T
        doublings = np.log2([windows[i].slice.axis_value for i in index])
        shrunk = zip(*noise.moderated(variances, dfs, doublings), strict=True)
        for i, (variance, df) in zip(index, shrunk, strict=True):
            moderated[i] = _with_noise(windows[i], solved[i], float(variance), float(df))
    return moderated


def _with_noise(window: Window, solved: Solved, variance: float, df: float) -> Solved:
    """The curve with another shared variance; values with a larger separate one keep it."""
    counts = np.isfinite(window.slice.loss).sum(axis=1)
    shares = solved.variance * counts < solved.noise_var * (1 + 1e-6)
    least = variance / np.maximum(counts, 1)
    each = np.where(shares, least, np.maximum(solved.variance, least))
    return solved._replace(noise_var=variance, df=df, variance=each)


def _data_again(window: Window, solved: Solved) -> CurveData:
    """The data of a curve that was fitted before."""
    on_curve = window.on_curve
    u = window.slice.log2_x[on_curve] - window.center
    return CurveData(u, window.means[on_curve], solved.variance[on_curve], solved)


def _shapes(solved: Sequence[Solved], index: Sequence[int]) -> Shapes:
    cells = np.array([(solved[i].scale, solved[i].a / 3, solved[i].roughness) for i in index])
    return Shapes(*cells.T)
