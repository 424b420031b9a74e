"""Loading best.yaml: silent only for the run that was judged."""

import warnings
from pathlib import Path

import pytest

from mutransfer.analysis.best import BestError, BestWarning, load_best

PASS = """
format: 1
verdict: PASS
width: 512
hps: {lr: 0.003, init_std: 1.1}
valid_for: {depth: 2, batch_size: 32}
"""


def written(folder: Path, text: str = PASS) -> Path:
    path = folder / "best.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_loading_is_silent_where_all_settings_agree(tmp_path: Path) -> None:
    path = written(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_best(path)["hps"] == {"lr": 0.003, "init_std": 1.1}
        load_best(str(path), depth=2, batch_size=32, width=512)


def test_loading_warns_of_each_setting_that_differs_or_is_not_there(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.warns(BestWarning, match="depth = 2; got 24"):
        load_best(path, depth=24)
    with pytest.warns(BestWarning, match="width = 512; got 1024"):
        load_best(path, width=1024)
    with pytest.warns(BestWarning, match="has no setting dropout"):
        load_best(path, dropout=0.1)


@pytest.mark.parametrize(
    "word", ["FAIL", "INCONCLUSIVE", "PREDICTED", "EXTRAPOLATED", "NOT_SUPPORTED"]
)
def test_loading_warns_unless_the_verdict_is_pass(word: str, tmp_path: Path) -> None:
    path = written(tmp_path, PASS.replace("PASS", f"{word}\nverdict_text: why"))
    with pytest.warns(BestWarning, match=f"{word}: why"):
        load_best(path)


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "format: 99\n",
        "hps: {}\n",
        "format: 1\nverdict: GREAT\nhps: {}\n",
        PASS.replace("PASS", "UNDER_WAY"),
    ],
)
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BestError, match=r"best\.yaml"):
        load_best(written(tmp_path, text))
