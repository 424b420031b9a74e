"""The user's functions by name, and the digest of their source."""

import sys

import pytest

from mutransfer.proxies import user_code
from mutransfer.proxies.errors import ConfigError

NAMES = [
    *(f"own_module:{name}" for name in ("build", "absent", "CONSTANT")),
    *("own_absent:build", "own_broken:build", "own_package.models:build"),
    "own_namespace.models:build",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An import folder with one module and one package; both names are unique to these tests."""
    (tmp_path / "own_module.py").write_text("def build(): return 1\nCONSTANT = 2\n")
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "models.py").write_text("def build(): return 3\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    user_code.allow(NAMES, [str(tmp_path)])
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith("own_")]:
        del sys.modules[name]


def test_a_function_is_found_by_its_name(folder):
    assert user_code.function("own_module:build")() == 1
    assert user_code.function("own_package.models:build")() == 3


def test_code_that_no_spec_of_the_users_names_is_not_imported(folder):
    marker = folder / "imported"
    (folder / "own_stranger.py").write_text(f"open({str(marker)!r}, 'w')\ndef build(): ...\n")
    for use in (user_code.function, user_code.require, lambda n: user_code.source_digest((n,))):
        with pytest.raises(user_code.NotAllowedError, match="may be a stranger's"):
            use("own_stranger:build")
    assert not marker.exists()
    user_code.allow(["own_stranger:build"])  # the control
    user_code.function("own_stranger:build")
    assert marker.exists()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("own_module.build", "got no ':'"),
        ("own_absent:build", "put it there, or install it"),
        ("own_module:absent", "got nothing of that name; it has: build"),
        ("own_module:CONSTANT", "got int of that name"),
        ("own_broken:build", "SystemExit: 3; correct it"),
    ],
)
def test_a_name_without_a_function_is_an_error_with_the_reason(folder, reference, message):
    (folder / "own_broken.py").write_text("raise SystemExit(3)")
    with pytest.raises(ConfigError, match=message):
        user_code.function(reference)


def test_an_import_folder_hides_no_installed_package(folder):
    (folder / "json").mkdir()
    user_code.add_paths([str(folder)])
    assert sys.path.index(str(folder)) == len(sys.path) - 1
    assert sys.path.count(str(folder)) == 1


def test_the_digest_is_that_of_the_whole_package_and_of_nothing_else(folder):
    def digest():
        user_code.source_digest.cache_clear()
        return user_code.source_digest(("own_package.models:build",))

    first = digest()
    (folder / "own_module.py").write_text("changed = True\n")
    assert digest() == first and len(first) == 16
    (folder / "own_package" / "other.py").write_text("changed = True\n")
    assert digest() != first


def test_a_folder_that_two_entries_of_the_import_path_lead_to_counts_once(folder, monkeypatch):
    """One whose driver has the working directory on its path as well, as a worker has not."""
    (folder / "own_namespace").mkdir()
    (folder / "own_namespace" / "models.py").write_text("def build(width): ...\n")

    def digest():
        user_code.source_digest.cache_clear()
        sys.modules.pop("own_namespace", None)
        return user_code.source_digest(("own_namespace.models:build",))

    once = digest()
    (folder / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    sys.path[:0] = ["", str(folder / "link")]
    assert digest() == once
    assert user_code.package_folders(["own_namespace.models:build"]) == [
        str(folder / "own_namespace")
    ]
    (folder / "own_namespace" / "models.py").write_text("def build(width): return None\n")
    assert digest() != once


def test_only_packages_have_folders_to_send(folder):
    references = ("own_module:build", "own_package.models:build")
    assert user_code.package_folders(references) == [str(folder / "own_package")]


def test_a_file_of_an_import_folder_is_located_and_another_word_is_not(folder):
    assert user_code.located("own_module.py") == str(folder / "own_module.py")
    assert [user_code.located(word) for word in ("--lr", "", "/own_module.py")] == [
        "--lr", "", "/own_module.py",
    ]  # fmt: skip
