"""The report: self-contained, the verdict on top, names cannot break out."""

import base64
import re
from pathlib import Path

import pandas as pd
import pytest

from analysis import report
from analysis.gallery import Gallery, Pair
from analysis.verdict import Verdict, judge
from tests.analysis import planted

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def page(study: pd.DataFrame, verdict: Verdict, drawn: dict[str, bytes]) -> str:
    info = {"study": HOSTILE, "commit": "abc"}
    return report.html(info, verdict, study, planted.question(), drawn)


def test_the_verdict_comes_first_and_all_parts_follow(page: str, verdict: Verdict) -> None:
    order = [
        verdict.sentence,
        "Conditions",
        "<figure",
        "<h2>Optima",
        "<h2>Drift of the optimum",
        "<h2>Search best and transferred set",
        "<h2>Cost",
        "What this does not cover",
        "Provenance",
    ]
    places = [page.index(text) for text in order]
    assert places == sorted(places)


def test_hostile_names_are_escaped(page: str) -> None:
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_the_page_is_self_contained(page: str) -> None:
    assert page.count("<svg") == 5
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "<link" not in page


def test_ids_of_the_figures_do_not_collide(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", page)) | set(re.findall(r'href="#([^"]+)"', page))
    assert used <= set(ids)


def test_samples_stand_beside_real_images_with_their_captions_escaped(
    study: pd.DataFrame, verdict: Verdict
) -> None:
    pairs = [Pair(text=HOSTILE, real_png=b"real", drawn_png=b"drawn")]
    gallery = Gallery(trial_id="0f", width=64, pairs=pairs)
    page = report.html({}, verdict, study, planted.question(), {}, gallery)
    drawn, real = (base64.b64encode(png).decode() for png in (b"drawn", b"real"))
    assert page.index(f"data:image/png;base64,{drawn}") < page.index(f"base64,{real}")
    assert "width 64" in page and HOSTILE not in page and "alert(" in page
    without = report.html({}, verdict, study, planted.question(), {})
    assert "<img" not in without and "<h2>Samples" not in without


def test_reasons_are_shown_when_it_is_no_pass(study: pd.DataFrame, tmp_path: Path) -> None:
    asked = planted.question(transferred=None)
    found = judge(study, asked)
    path = report.write({}, found, study, asked, {}, tmp_path / "report.html")
    text = path.read_text(encoding="utf-8")
    assert "No transferred set" in text
    assert 'class="verdict INCONCLUSIVE"' in text


def test_the_terminal_gets_whole_rows(verdict: Verdict) -> None:
    tables = {t.title: t for t in report.text_summary(verdict)}
    assert list(tables) == [
        "Conditions",
        "Reasons",
        "What would settle it",
        "Optima",
        "Drift of the optimum",
        "Regret of the transferred and other values",
        "Scaling (working definitions)",
        "Cost",
    ]
    for found in tables.values():
        assert all(len(row) == len(found.columns) for row in found.rows)
        assert all(isinstance(cell, str) for row in found.rows for cell in row)
    assert len(tables["Optima"].rows) == 4 + 4 + 1 + 4 + 1
    assert tables["Reasons"].rows == ()
