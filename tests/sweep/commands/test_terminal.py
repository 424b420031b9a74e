"""Tables, numbers and exit codes of the command line."""

import io

import pytest
from rich.console import Console

from mutransfer.sweep.commands import terminal
from mutransfer.sweep.errors import RunError, UserError


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UserError("wrong"), terminal.EXIT_USER, "mutransfer: wrong"),
        (RunError("failed"), terminal.EXIT_FAILED, "mutransfer: failed"),
        (KeyError("x"), terminal.EXIT_FAILED, "a bug in mutransfer"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(error, code, text):
    def fail() -> None:
        raise error

    console = Console(file=io.StringIO())
    with pytest.raises(SystemExit) as end:
        terminal.guarded(fail, console, debug=False)
    assert end.value.code == code and text in console.file.getvalue()
    if isinstance(error, Exception):
        with pytest.raises(type(error)):
            terminal.guarded(fail, console, debug=True)


def test_numbers_are_aligned_to_the_right_and_texts_to_the_left():
    table = terminal.table("title", ("name", "n", "share"), [("a", 1, "2 %"), ("b", 30, None)])
    assert [column.justify for column in table.columns] == ["left", "right", "left"]
    table = terminal.table("title", ("name", "share"), [("a", "2 %"), ("b", "1,000")])
    assert [column.justify for column in table.columns] == ["left", "right"]
