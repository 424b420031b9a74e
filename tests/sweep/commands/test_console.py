"""Text from data, errors and trainers reaches the terminal as text alone, wherever it is shown."""

import ast
import io
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mutransfer.sweep.commands.console import CONTROLS, PlainConsole, printable
from tests.environments import FOLDERS, ROOT
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, write_spec
from tests.sweep.edited import edit
from tests.sweep.planted import filled_run

# Markup that rich would act on or refuse, sequences a terminal would act on, and text to be seen.
MARKUP = "[/red] [bold]size [3, 4][/] :boom: [link=https://a.b]"
SEQUENCES = {
    "\x1b[31mred\x1b[0m": "red",  # colour
    "\x1b[2J\x1b[1;1Hhome": "home",  # clears the screen
    "\x1b]0;title\x07after": "after",  # renames the window
    "\x1b]52;c;cm0gLXJm\x1b\\paste": "paste",  # writes the clipboard
    "\x1bP+q544e\x1b\\query": "query",  # asks the terminal, whose answer is typed in
    "\x9b31mC1": "C1",
    "over\rwritten": "overwritten",
    "back\x08\x08": "back",
    "\u202egnp.exe": "gnp.exe",  # reads backwards
    "\ud800half": "half",
    "\x1b": "",
}
HOSTILE = MARKUP + "".join(SEQUENCES)


@pytest.mark.parametrize("text", SEQUENCES)
def test_sequences_are_stripped_and_text_is_kept(text):
    assert printable(text) == SEQUENCES[text]
    assert printable("μP 2^-9 …\tend\n") == "μP 2^-9 …\tend\n"  # the control


def table_of(text: str) -> Table:
    table = Table(text, title=text)
    table.add_row(text)
    return table


@pytest.mark.parametrize("make", [str, Text, table_of], ids=["a line", "a text", "a table"])
def test_whatever_is_printed_is_text_alone(make):
    console = PlainConsole(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(make(HOSTILE))
    shown = console.file.getvalue()
    assert not CONTROLS.search(shown) and MARKUP in shown
    plain = io.StringIO()
    with Live(make(HOSTILE), console=PlainConsole(file=plain, force_terminal=True)):
        pass
    ours = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", plain.getvalue()).replace("\r", "")
    assert not CONTROLS.search(ours)
    assert "\x1b[?25l" in plain.getvalue()  # the console's own codes pass: it hides the cursor


def printing(code: str) -> list[str]:
    """The calls in a module that print, but for those of a console that it is given."""
    calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Call)]
    writes = re.compile(
        r"print|(rich\.)?(console\.)?Console|typer\.s?echo|sys\.(stdout|stderr)\.write"
    )
    return [name for name in calls if writes.fullmatch(name)]


def test_every_command_prints_on_this_console():
    for code in ("print(1)", "Console(stderr=True).print(1)", "typer.echo('a')"):
        assert printing(code)  # the controls
    assert printing("out.print(PlainConsole())") == []
    found = {
        path.name: calls
        for top in FOLDERS
        for path in (ROOT / top).rglob("*.py")
        if (calls := printing(path.read_text()))
    }
    # JSON is ASCII with escapes; the version is ours.
    assert found == {"terminal.py": ["sys.stdout.write"], "cli.py": ["sys.stdout.write"]}


@pytest.fixture
def hostile_run(tiny, tmp_path) -> Path:
    """A run directory whose failed trials have hostile errors."""
    store = filled_run(tiny, tmp_path / "runs/tiny")
    best = {"lr": 2**-6, "init_std": 1.0}
    store.decide("centre", {"centre": best, "search_best": best})
    rows = store.rows().values()
    for name in store.names("trials", ".parquet"):
        store.remove("trials", f"{name}.parquet")
    for row in rows:
        error = HOSTILE.replace("\ud800", "") if row["status"] == "failed" else None
        curve = store.curve(row["trial_id"])
        store.write_row({**row, "error": error, "host": error or row["host"]}, curve)
    return tmp_path


def clean(done) -> None:
    for stream in (done.stdout, done.stderr):
        assert not CONTROLS.search(stream.replace("\n", "")), repr(stream)
    assert "bug in mutransfer" not in done.stderr and "Traceback" not in done.stderr


def test_errors_of_trials_are_shown_as_text(hostile_run):
    done = call(hostile_run, "status", "runs/tiny")
    clean(done)
    words = " ".join(done.stdout.split())
    assert done.returncode == 0 and "[bold]size" in words and ":boom:" in words
    for words in (
        ["analyze"],
        ["analyze", "--tables"],
        ["plan"],
        ["export", "--width", "64"],
        ["log", "--to", "tensorboard"],
        ["dashboard", "--journal-only"],
    ):
        clean(call(hostile_run, words[0], "runs/tiny", *words[1:]))
    assert call(hostile_run, "doctor", "runs/tiny").returncode == 0, "nothing above was refused"


def test_names_and_values_of_a_spec_are_shown_as_text(tmp_path):
    for old, new in (
        ("method: tpe", f"method: {json.dumps(HOSTILE)}"),
        ("lr: {", '"[/x]\\e[2J": {'),
    ):
        write_spec(tmp_path, TINY.replace(old, new))
        done = call(tmp_path, "check")
        clean(done)
        assert done.returncode == 2


def test_names_and_cells_of_a_table_are_shown_as_text(tmp_path):
    name = HOSTILE.replace("\ud800", "")
    table = pd.DataFrame(
        {name: [1, 2], "width": [name, "3"], "hp.lr": [0.1, 0.2], "val_loss": [1, 2]}
    )
    table.to_csv(tmp_path / "runs.csv", index=False)
    for words in ([], ["--columns", f"{name}=seed"], ["--axis", name]):
        done = call(tmp_path, "analyze", "runs.csv", *words)
        clean(done)
        assert done.returncode == 2


def test_a_stored_check_and_decisions_are_shown_as_text(ran, tmp_path):
    shutil.copytree(ran / "runs/tiny", tmp_path / "tiny")
    text = HOSTILE.replace("\ud800", "")

    def with_hostile_text(content):
        content["versions"]["mutransfer"] = content["commit"] = text
        content["history"] = [{"at": text, "changed": [{"path": text, "was": text, "now": 1}]}]

    edit(tmp_path / "tiny/study.json", with_hostile_text)
    for words in (["analyze"], ["status"], ["plan", "--no-power"], ["doctor"]):
        done = call(tmp_path, words[0], "./tiny", *words[1:])
        clean(done)
        assert done.returncode in (0, 3)
