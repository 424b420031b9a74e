"""Ray reads its settings when it is imported, so every module sets them first."""

import ast
from pathlib import Path

import pytest

from mutransfer.sweep.run import ray_settings

MODULES = sorted(Path(ray_settings.__file__).parent.glob("ray_*.py"))


def is_set_before_ray(source: str) -> bool:
    """Whether the first import of Ray, if any, follows an import of `ray_settings`."""
    is_set = False
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            is_set |= any(alias.name == "ray_settings" for alias in node.names)
        names = [alias.name for alias in getattr(node, "names", [])]
        names.append(getattr(node, "module", "") or "")
        if any(name.split(".")[0] == "ray" for name in names):
            return is_set
    return True


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_sets_them_before_it_imports_ray(path):
    assert is_set_before_ray(path.read_text())


def test_the_rule_finds_an_import_that_comes_too_early():
    late = "import ray\nfrom mutransfer.sweep.run import ray_settings\n"
    assert not is_set_before_ray(late)
    assert not is_set_before_ray("from ray.tune.search import Searcher\n")
