"""matplotlib with its own settings: at its import it reads a matplotlibrc of the working directory.

That file may be a stranger's, and the figures of a study are to look the same everywhere. Imported
by `figures` before any figure.
"""

import contextlib
import importlib
import sys
from pathlib import Path

if "matplotlib" not in sys.modules:
    with contextlib.chdir(Path(__file__).parent):
        importlib.import_module("matplotlib")
