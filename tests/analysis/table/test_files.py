"""How a .csv is written: separators, decimal marks, encodings."""

from pathlib import Path

import pytest

from mutransfer.analysis.table.files import read_file
from mutransfer.analysis.table.table import TableError

ROWS = {"width": [64, 128], "val_loss": [0.5, 1.25]}
TEXT = "width,val_loss\n64,0.5\n128,1.25\n"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t"),
        TEXT.replace(",", ";").replace(".", ","),
        "\ufeff" + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(",", " , "),
        'width,val_loss\n64,"0,5"\n128,"1,25"\n',
    ],
)
def test_separator_decimal_mark_and_bom_are_found_out(tmp_path: Path, content: str) -> None:
    df = read_file(written(tmp_path, content))
    assert df.to_dict("list") == ROWS


def test_what_is_given_counts_more_than_what_is_found_out(tmp_path: Path) -> None:
    path = written(tmp_path, "a;b,c\n1;2,5\n")
    assert list(read_file(path, sep=",")) == ["a;b", "c"]
    assert read_file(path, sep=";", decimal=",").to_dict("list") == {"a": [1], "b,c": [2.5]}
    assert read_file(path, sep=";", decimal=".").to_dict("list") == {"a": [1], "b,c": ["2,5"]}


def test_a_comma_for_thousands_is_no_decimal_mark(tmp_path: Path) -> None:
    df = read_file(written(tmp_path, "width;val_loss\n1,024;0.5\n2,048;0.25\n"))
    assert df.to_dict("list") == {"width": ["1,024", "2,048"], "val_loss": [0.5, 0.25]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("utf-16"), "text in UTF-8; got another encoding; save it as UTF-8"),
        ("größe,val_loss\n1,2\n".encode("latin1"), "got another encoding"),
        (TEXT.encode() + b"\n" * 2**17 + b"\xff,1\n", "got another encoding"),
        ("a,b\n1,2,3\n", "as many cells in a row as in the first line; got more"),
        ("a,b,a\n1,2,3\n", "each column once; got a several times; keep one"),
        ('a,"b\n1,2\n', "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_message(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(TableError) as refused:
        read_file(written(tmp_path, content))
    assert str(refused.value).startswith(f"{tmp_path}/t.csv: ") and message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_parquet_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text(TEXT)
    with pytest.raises(TableError, match="cannot be read"):
        read_file(path)
