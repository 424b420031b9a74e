"""docs/prediction.md: its code runs, its links exist, and its figures are those of the results."""

import re

import pytest

from tests.environments import ROOT

PAGE = (ROOT / "docs/prediction.md").read_text(encoding="utf-8")


def test_its_code_runs():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(block, "docs/prediction.md", "exec"), {})
    with pytest.raises(AssertionError):  # the control: a wrong claim is found
        exec(block.replace('== "PREDICTED"', '== "PASS"'), {})


def test_what_it_links_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert links and [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_its_figures_are_those_of_the_results():
    results = (ROOT / "benchmarks/results/prediction.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:3|4|5|6) \| (?:0\.1|0\.4|1) \| \+.*$", PAGE, re.MULTILINE)
    assert rows and [row for row in rows if row not in results] == []
