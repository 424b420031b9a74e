"""The schema: every column is documented."""

from mutransfer.analysis import table


def test_every_column_is_documented() -> None:
    text = table.markdown()
    for column in table.COLUMNS:
        assert f"| `{column.name}` |" in text
        assert column.meaning
