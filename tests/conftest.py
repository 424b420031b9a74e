import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environments import build_wheel


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache directory of the session's own; worker processes inherit it."""
    before = os.environ.get("MUTRANSFER_CACHE")
    os.environ["MUTRANSFER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["MUTRANSFER_CACHE"]
    else:
        os.environ["MUTRANSFER_CACHE"] = before


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))
