"""The fit of one slice: a smooth curve through the losses, its noise, its minimum.

Public: `curve.fit` and `curve.fits` (slices to fits) and `optimum.optimum` (a fit's minimum).
"""
