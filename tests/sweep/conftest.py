import copy
import textwrap
from pathlib import Path

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.spec.yaml_file import parse

TINY = """
version: 1
studies:
  tiny:
    model: {family: dit, depth: 1, head_dim: 8, base_width: 16, patch_size: 4}
    data: {source: digits, val_draws: 1}
    objective: {kind: rectified_flow}
    train: {steps: 6, batch_size: 16, n_val: 1}
    method: tpe
    parameters:
      lr: {distribution: log_uniform_values, min: 2^-9, max: 2^-5}
      init_std: {value: 1}
    search: {width: 16, trials: 4, generation: 2}
    transfer: {parameters: [lr], widths: [8, 16], points: 3, refine: false, seeds: 2, max_extend: 1}
    target: {width: 32, points: 3, seeds: 2, tolerance: {rel_loss: 0.02}}
    coordcheck: {gate: skip}
"""


def write_spec(folder: Path, text: str = TINY) -> Path:
    path = folder / "sweeps.yaml"
    path.write_text(textwrap.dedent(text))
    return path


def study_of(text: str, name: str = "tiny") -> Study:
    return spec.read_file(parse(textwrap.dedent(text), "sweeps.yaml"))[name]


@pytest.fixture
def tiny() -> Study:
    return copy.copy(study_of(TINY))


@pytest.fixture
def tiny_spec(tmp_path: Path) -> Path:
    return write_spec(tmp_path)
