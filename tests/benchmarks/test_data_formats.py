"""The sparse files of the benchmark are read as data, in memory that does not grow with them."""

import importlib.util
import re
import subprocess
import sys

import pytest

from tests.environments import ROOT

PATH = ROOT / "benchmarks" / "data_formats.py"


@pytest.mark.slow  # half a gigabyte for each format
def test_each_format_is_read_in_less_memory_than_the_data(tmp_path):
    words = ["--gb", "0.5", "--folder", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, str(PATH), *words], capture_output=True, text=True, check=True, timeout=200
    )
    rows = re.findall(r"^(\w+) .* at most (\d+) MB$", done.stdout, re.MULTILINE)
    specification = importlib.util.spec_from_file_location("data_formats", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert [name for name, _ in rows] == list(module.WRITERS)
    assert all(int(megabytes) < 250 for _, megabytes in rows)  # the data are 500
    assert list((tmp_path / "data").iterdir()) == []
