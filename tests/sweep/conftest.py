import copy
import sys
import textwrap
from pathlib import Path

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.spec.yaml_file import parse
from tests.sweep.custom_model import MODULE, SPEC

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
    transfer: {parameters: [lr], widths: [8, 16], points: 3, refine: false, seeds: 2, max_extend: 1,
      control: sp}
    target: {width: 32, check: slices, points: 3, seeds: 2, tolerance: {rel_loss: 0.02}}
    coordcheck: {gate: skip}
"""
# The same study, its target checked by a star, and without a control.
STAR = TINY.replace("check: slices, points: 3, seeds: 2, ", "").replace(
    "control: sp}", "control: none}"
)
assert "slices" not in STAR and "control" in STAR


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


@pytest.fixture
def user(tmp_path, monkeypatch, request):
    """Write a spec and a module with a unique name (a module is imported once per process)."""
    name = "user_" + "".join(c if c.isalnum() else "_" for c in request.node.name)[-60:]
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(*changes: tuple[str, str], roles: str = "{}"):
        code, text = MODULE, SPEC.replace("NAME", name)
        for old, new in changes:
            assert old in code
            code = code.replace(old, new)
        text = text.replace("base_width: 16", f"base_width: 16, roles: {roles}")
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        (tmp_path / "sweeps.yaml").write_text(text)
        return spec.read(tmp_path / "sweeps.yaml", ("own",))["own"]

    write.folder, write.name = tmp_path, name
    return write
