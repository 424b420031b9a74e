"""Arrays are cached complete, and made again if the file is damaged."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mutransfer.proxies.files import cache

ARRAYS = {"a": np.arange(1000), "b": np.array(["text"])}


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("MUTRANSFER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def same(arrays):
    return set(arrays) == set(ARRAYS) and all(
        (arrays[name] == ARRAYS[name]).all() for name in ARRAYS
    )


def test_cached_arrays_are_not_made_again(own):
    assert same(cache.arrays("x", lambda: ARRAYS))
    assert same(cache.arrays("x", lambda: pytest.fail("made again")))
    assert [path.name for path in own.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"PK" + b])
def test_a_damaged_file_is_made_again(own, damage):
    cache.arrays("x", lambda: ARRAYS)
    path = own / "x.npz"
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert same(cache.arrays("x", lambda: ARRAYS))
    assert same(cache.arrays("x", lambda: pytest.fail("made again")))


def test_a_pickle_under_its_name_is_never_opened(own):
    own.mkdir()
    np.savez(own / "x.npz", a=np.array([{"an": "object"}], dtype=object))
    assert same(cache.arrays("x", lambda: ARRAYS))


def test_many_writers_leave_one_complete_file(own):
    def write(_):
        return same(cache.arrays("x", lambda: ARRAYS))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write, range(64)))
    assert [path.name for path in own.iterdir()] == ["x.npz"]


def test_a_maker_that_fails_leaves_nothing(own):
    with pytest.raises(ZeroDivisionError):
        cache.arrays("x", lambda: {"a": np.array(1 / 0)})
    assert not own.exists()


def test_arrays_are_made_each_time_if_the_directory_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MUTRANSFER_CACHE", str(tmp_path / "file"))
    assert [cache.text("a", lambda: "x"), cache.text("a", lambda: "y")] == ["x", "y"]


def test_the_directory_is_the_users_cache_directory(tmp_path, monkeypatch):
    assert cache.directory() == tmp_path / "cache"
    monkeypatch.delenv("MUTRANSFER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.directory() == tmp_path / "xdg" / "mutransfer"
