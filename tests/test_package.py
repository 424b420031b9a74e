"""One package under one name, and a trainer that needs few others."""

import sys
import zipfile
from pathlib import Path

import pytest

from tests.environments import FOLDERS, ROOT, entries, environment, python, requirements


def test_the_wheel_holds_every_module_under_one_name(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"mutransfer"}
    sources = [path for top in FOLDERS for path in ROOT.glob(f"{top}/**/*.py")]
    ours = {f"mutransfer/{path.relative_to(ROOT)}" for path in sources}
    assert ours <= names and len(ours) > 150
    templates = {n for n in names if n.startswith("mutransfer/analysis/reporting/templates/")}
    assert {Path(n).suffix for n in templates} == {".css", ".js", ".j2"}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_the_checkout_is_not_a_second_package(name):
    done = python(sys.executable, f"import {name}", ROOT)
    assert done.returncode == 1
    assert done.stderr.strip().endswith(f"import mutransfer.{name}; this folder is a part of it")
    module = python(
        sys.executable, f"import mutransfer.{name}, sys; assert {name!r} not in sys.modules", ROOT
    )
    assert module.returncode == 0, module.stderr


LIGHT = """
import importlib.util, sys
from mutransfer import load_best, mup
import torch
from torch import nn

def build(width):
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, width), nn.Linear(width, 2))

plan = mup.plan(build, base_width=8, width=32)
model = build(32)
mup.init_(model, plan)
optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=0.01, weight_decay=0.1))
model(torch.ones(1, 3)).sum().backward()
mup.clip_grad_norm_(optimizer.param_groups, 1.0)
optimizer.step()
print(load_best("best.yaml", depth=2)["hps"])
absent = ("pandas", "scipy", "ray", "optuna", "matplotlib", "pydantic", "pyarrow", "sklearn")
print([name for name in absent if PROBE(name)])
"""


def best_yaml(folder: Path) -> None:
    text = "format: 1\nverdict: PASS\nhps: {lr: 0.01}\nvalid_for: {depth: 2}\n"
    (folder / "best.yaml").write_text(text)


def test_a_trainer_needs_torch_numpy_and_a_yaml_reader_alone(wheel, tmp_path):
    best_yaml(tmp_path)
    few = entries(requirements("torch") | {"numpy", "ruamel.yaml"})
    light = environment(tmp_path / "light", wheel, few)
    code = LIGHT.replace("PROBE(name)", "importlib.util.find_spec(name)")
    done = python(light, code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "{'lr': 0.01}\n[]\n"
    full = python(light, "import mutransfer.sweep.cli", tmp_path)  # the control
    assert full.returncode == 1 and "ModuleNotFoundError" in full.stderr


def test_where_all_is_installed_a_trainer_imports_no_more(tmp_path):
    best_yaml(tmp_path)
    done = python(sys.executable, LIGHT.replace("PROBE(name)", "name in sys.modules"), tmp_path)
    assert done.returncode == 0 and done.stdout.endswith("[]\n"), done.stderr


PUBLIC = """
import sys
import mutransfer.{package} as package
early = [name for name in ("pandas", "scipy", "ray", "optuna", "torch") if name in sys.modules]
assert set(package.__all__) <= set(dir(package))
print(early, [name for name in package.__all__ if not callable(getattr(package, name))])
"""


@pytest.mark.parametrize("package", ["analysis", "sweep"])
def test_public_names_are_imported_when_they_are_first_used(package):
    done = python(sys.executable, PUBLIC.format(package=package), ROOT)
    assert done.returncode == 0 and done.stdout == "[] []\n", done.stderr
    code = f"import mutransfer.{package} as package; package.judge_everything"
    unknown = python(sys.executable, code, ROOT)
    assert "has no attribute 'judge_everything'" in unknown.stderr
