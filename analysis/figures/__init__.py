"""The figures of a study; each file holds the data, the drawing and the table of one figure.

Public: `figure_set` (all figures of a study), `coordcheck`, `convergence`, and `canvas` (to files
and pictures).
"""

from mutransfer.analysis.figures import settings  # noqa: F401  # before any figure
