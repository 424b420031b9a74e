"""The fit of one slice: the curves that its values allow, their noise and their minimum.

Public: `curve.fit_slice` and `curve.fit_slices` (slices to fits), `optimum.optimum` (the minimum of
a fit with its interval).
"""
