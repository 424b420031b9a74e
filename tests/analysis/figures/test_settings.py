"""A matplotlibrc of the working directory, which may be a stranger's, is not read."""

import subprocess
import sys

CODE = "import {first}; import matplotlib; print(matplotlib.rcParams['lines.linewidth'])"


def width(folder, first: str) -> str:
    words = [sys.executable, "-c", CODE.format(first=first)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True).stdout.strip()


def test_figures_do_not_read_the_matplotlibrc_of_the_working_directory(tmp_path):
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 77\n")
    assert width(tmp_path, "matplotlib") == "77.0"  # the control
    assert width(tmp_path, "mutransfer.analysis.figures.canvas") == "1.5"
