"""Length of the interval of an estimator that knows more: the bound of Cramér and Rao.

Both oracles see the values that the estimator has on its curve, and know the noise of each.
*family*: knows that the curve is of the planted shape and estimates asymmetry, curvature, offset
and location. *all*: knows the curve up to its location and offset.
"""

import numpy as np
from benchmarks.calibration.truth import CURVATURE, SHAPES, Setting
from scipy import special

Z = float(special.ndtri(0.975))
_H = 1e-5


def variance(setting: Setting, u: np.ndarray, *, knows_all: bool) -> float:
    """Variance of the location of the optimum from values u octaves from it, octaves²."""
    shape, rho = SHAPES[setting.shape], setting.rho
    slope = (shape(u + _H, rho) - shape(u - _H, rho)) / (2 * _H)
    columns = [-CURVATURE * slope, np.ones_like(u)]
    if not knows_all:
        columns.append(shape(u, rho))
        if setting.shape != "kinked":
            step = (shape(u, rho + _H) - shape(u, rho - _H)) / (2 * _H)
            columns.append(CURVATURE * step)
    design = np.stack(columns, axis=1) / setting.each_sd(u)[:, None]
    scale = np.linalg.norm(design, axis=0)
    inverse = np.linalg.pinv((design / scale).T @ (design / scale))
    return float(inverse[0, 0] / scale[0] ** 2) / setting.seeds


def length(variance_: float) -> float:
    """Length of a 95 % interval of an estimator of that variance."""
    return 2 * Z * variance_**0.5


def slope_variance(variances: np.ndarray) -> float:
    """Variance of the slope over equal steps of width from the variances of the optima."""
    d = np.arange(variances.size)
    w = 1 / variances
    middle = (w * d).sum() / w.sum()
    return float(1 / (w * (d - middle) ** 2).sum())
