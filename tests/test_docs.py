"""README and docs say what the code does."""

import re
from pathlib import Path

import pytest
import torch

from mutransfer.analysis import table
from mutransfer.analysis.export import dump
from mutransfer.analysis.text_table import number, percent_text
from mutransfer.sweep import spec
from mutransfer.sweep.cli import app
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.spec.yaml_file import parse
from mutransfer.words import HP_NAMES
from tests.analysis.test_export_formats import HPS, best_of
from tests.proxies.mup.small_dit import build

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))
COLUMNS, COST, SPEC = (
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("columns.md", "cost.md", "spec.md")
)
MAX_WORDS, MAX_LINE = 1_200, 100


def block(language: str) -> str:
    """The only block of a language in the README."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return text


def test_the_readme_is_read_in_five_minutes():
    assert len(README.split()) <= MAX_WORDS
    assert [line for line in README.splitlines() if len(line) > MAX_LINE] == []


def test_the_study_of_the_readme_is_one():
    studies = spec.read_file(parse(block("yaml"), "sweeps.yaml"))
    assert studies["mine"].target_at == 256
    with pytest.raises(ValueError, match="widths"):  # the control: a fault would be found
        spec.read_file(parse(block("yaml").replace("widths", "width"), "sweeps.yaml"))


def test_the_trainer_of_the_readme_runs_as_it_is_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("best.yaml").write_text(dump(best_of(build, verdict="PASS")))
    names: dict[str, object] = {"build": build}
    exec(compile(block("python"), "README.md", "exec"), names)
    optimizer = names["optimizer"]
    assert isinstance(optimizer, torch.optim.AdamW)
    assert {g["lr"] for g in optimizer.param_groups} == {HPS["lr"], HPS["lr"] / 4}


def test_the_columns_are_those_of_the_table():
    text = COLUMNS.split("<!-- table:begin -->\n")[1].split("\n<!-- table:end -->")[0]
    assert text == table.markdown().strip()


def test_every_command_of_the_readme_exists():
    known = {command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"^mutransfer (\w+) (?:digits-dit|mine)", README, re.MULTILINE))
    assert named and named <= known


def test_every_hyperparameter_is_named():
    assert {name for name in HP_NAMES if f"`{name}`" not in SPEC} == set()


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_file_that_is_linked_exists(page):
    links = re.findall(r"\]\(([^)#:\s]+)[^):]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_stands_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([a-z-]+\.md)", index))
    assert linked == {page.name for page in PAGES} - {"README.md"}


@pytest.mark.slow  # the identities of a thousand tensors for each trial of the paper's studies
def test_the_costs_are_those_of_the_plan():
    studies = spec.read(ROOT / "sweeps.yaml")
    rows = re.findall(
        r"^\| `([a-z-]+)`[^|]* \| ([^|]*% \| .*|– \| – \| .*) \|$", COST, re.MULTILINE
    )
    assert len(rows) == 4
    for name, cells in rows:
        cost = estimate.nominal_cost(studies[name], estimate.stages(studies[name], {}))
        tuning = cost.tuning_at_target
        shares = [a.share_of_production for a in (cost.by_stage["search"], cost, tuning)]
        search, whole, instead = ["–" if s is None else percent_text(s) for s in shares]
        runs = number(cost.target_runs, 3), number(tuning.target_runs, 3)
        assert cells == f"{search} | {whole} | {runs[0]} | {instead}, {runs[1]}", name


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for line in re.findall(r"^make ([a-z -]+?)(?:\s+#.*)?$", README, re.MULTILINE):
        for target in line.split():
            assert f"\n{target}:" in makefile, target
