"""The fit of one slice: a smooth curve through the losses, its noise and its minimum.

Public: `curve.fit_slice` and `curve.fit_slices` (slices to fits), `optimum.optimum` (the minimum of
a fit with its interval).
"""
