"""The layout of CONTRIBUTING: few files a sub-package, few import floors, mirrored tests."""

import ast
import re
from functools import cache
from pathlib import Path

import grimp
import pytest

from tests.environments import FOLDERS, ROOT

MOST_FILES, MOST_FLOORS = 15, 8
PACKAGES = sorted(p.parent for top in FOLDERS for p in ROOT.glob(f"{top}/*/__init__.py"))
NAMES = [str(package.relative_to(ROOT)) for package in PACKAGES]


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("mutransfer", cache_dir=None)


def floors(package: str) -> int:
    """The longest chain of imports between the modules of a package."""
    modules = graph().find_children(package)

    @cache
    def height(module: str) -> int:
        below = graph().find_modules_directly_imported_by(module) & modules
        return 1 + max((height(other) for other in below), default=0)

    return max((height(module) for module in modules), default=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_sub_package_is_small_enough_to_find_ones_way_in(name):
    files = [path for path in (ROOT / name).glob("*.py") if path.name != "__init__.py"]
    assert 0 < len(files) <= MOST_FILES
    assert floors("mutransfer." + name.replace("/", ".")) <= MOST_FLOORS


@pytest.mark.parametrize("name", NAMES)
def test_its_init_says_what_is_public_and_defines_nothing(name):
    tree = ast.parse((ROOT / name / "__init__.py").read_text())
    assert re.search(r"[Pp]ublic", ast.get_docstring(tree) or "")
    others = [node for node in tree.body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(isinstance(n, ast.Assign) and n.targets[0].id == "__all__" for n in others)


def is_mirrored(test: Path) -> bool:
    """Whether a test module has the name of a module of its package: `test_plan[_oracle]`."""
    package, name = ROOT / test.parent.relative_to(ROOT / "tests"), test.stem.removeprefix("test_")
    return any(f"{name}_".startswith(f"{path.stem}_") for path in package.glob("*"))


def test_tests_mirror_the_packages():
    tests = [t for top in FOLDERS for t in (ROOT / "tests" / top).rglob("test_*.py")]
    assert len(tests) > 60
    assert [str(test.relative_to(ROOT)) for test in tests if not is_mirrored(test)] == []


def test_a_private_name_stays_in_its_module():
    pattern = re.compile(r"^from mutransfer\S* import .*\b_[a-z]\w*", re.MULTILINE)
    assert pattern.search("from mutransfer.words import Axis, _axis")  # the control
    files = [path for top in FOLDERS for path in (ROOT / top).rglob("*.py")]
    assert [str(path) for path in files if pattern.search(path.read_text())] == []
