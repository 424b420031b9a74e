"""The README says what the code does."""

import re
from pathlib import Path

import pytest

from mutransfer.analysis import table
from mutransfer.analysis.text_table import number, percent_text
from mutransfer.sweep import spec
from mutransfer.sweep.cli import app
from mutransfer.sweep.plan import estimate
from mutransfer.words import HP_NAMES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_columns_of_the_readme_are_those_of_the_table():
    text = README.split("<!-- table:begin -->\n")[1].split("\n<!-- table:end -->")[0]
    assert text == table.markdown().strip()


def test_every_command_of_the_readme_exists():
    known = {command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"^mutransfer (\w+) digits-dit", README, re.MULTILINE))
    assert named and named <= known


def test_every_hyperparameter_is_named():
    assert {name for name in HP_NAMES if f"`{name}`" not in README} == set()


def test_every_file_that_is_linked_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links and [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.slow  # the identities of a thousand tensors for each trial of the paper's studies
def test_the_costs_of_the_readme_are_those_of_the_plan():
    studies = spec.read(ROOT / "sweeps.yaml")
    rows = re.findall(
        r"^\| `([a-z-]+)`[^|]* \| ([^|]*% \| .*|– \| – \| .*) \|$", README, re.MULTILINE
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
