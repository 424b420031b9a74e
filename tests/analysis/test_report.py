"""The report: self-contained, the verdict on top, names cannot break out."""

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import Markup

from mutransfer.analysis.figures.curves import curve_info
from mutransfer.analysis.figures.text import curve_lines
from mutransfer.analysis.reporting import answer, sections
from mutransfer.analysis.reporting import page as report
from mutransfer.analysis.reporting.contents import Progress, ReportInputs
from mutransfer.analysis.reporting.samples import Gallery, Pair
from mutransfer.analysis.reporting.tables import text_summary
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def page(material: ReportInputs) -> str:
    pairs = [Pair(text=HOSTILE, real_png=b"real", drawn_png=b"drawn")]
    info = {"study": HOSTILE, "commit": "abc"}
    return report.html(replace(material, run_info=info, gallery=Gallery("0f", 64, pairs)))


def test_the_verdict_comes_first_and_all_parts_follow(page: str, verdict: Verdict) -> None:
    order = [
        'id="verdict"',
        'id="curves"',
        "<figure",
        'id="drift"',
        'id="regret"',
        'id="search"',
        'id="cost"',
        'id="basis"',
        "Conditions",
        'id="limits"',
        'id="provenance"',
    ]
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    assert str(Markup.escape(verdict.sentence)) in page


def test_hostile_names_are_escaped(page: str) -> None:
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert page.count("<script") == 1


def test_the_only_script_is_the_one_that_the_policy_names(page: str) -> None:
    script = re.search(r"<script>(.*)</script>", page, flags=re.S)[1]
    named = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert f"script-src 'sha256-{named}'" in policy and "default-src 'none'" in policy


def test_the_page_is_self_contained(page: str) -> None:
    assert page.count("<svg") > 9
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "<link" not in page and "@import" not in page


def test_ids_of_the_figures_do_not_collide(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", page)) | set(re.findall(r'href="#([^"]+)"', page))
    assert used <= set(ids)


def test_samples_stand_beside_real_images_with_their_captions_escaped(
    material: ReportInputs, page: str
) -> None:
    drawn, real = (base64.b64encode(png).decode() for png in (b"drawn", b"real"))
    assert page.index(f"base64,{drawn}") < page.index(f"base64,{real}")
    assert "at width 64" in page and HOSTILE not in page and "alert(" in page
    assert sections.samples(material).is_empty


def test_reasons_are_shown_when_it_is_no_pass(study: pd.DataFrame, tmp_path: Path) -> None:
    asked = planted.question(transferred=None)
    found = ReportInputs(
        run_info={}, df=study[:0], search_at=64, verdict=judge(study, asked), question=asked
    )
    text = report.write(found, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No transferred set" in text
    assert 'class="verdict INCONCLUSIVE"' in text


def test_a_report_of_a_search_under_way_says_what_is_missing(study: pd.DataFrame) -> None:
    rows = study[study["asked_by"] == "search"][:5]
    progress = Progress(5, 40, (("search", 3), ("slices", 32)))
    page = report.html(ReportInputs(run_info={}, df=rows, search_at=64, progress=progress))
    assert "5 of about 40 trials. Still missing: 3 of search, 32 of slices." in page
    assert 'class="verdict UNDER-WAY"' in page and "No verdict yet" in page
    assert 'id="figure-search"' in page and 'id="figure-loss_lr"' not in page
    assert "5 search trials say nothing about 2 HPs" in page


def test_a_pass_while_trials_are_missing_is_marked_as_of_now(material: ReportInputs) -> None:
    assert material.verdict.verdict == "PASS"
    part = replace(material, progress=Progress(150, 160, (("target", 10),)))
    assert answer.sentence(part).startswith("So far: PASS")
    whole = replace(material, progress=Progress(160, 160, finished=True))
    assert answer.sentence(whole).startswith("PASS") and not whole.is_under_way


def test_the_answer_has_its_figures(material: ReportInputs) -> None:
    facts = {fact.label: fact for fact in answer.facts(material)}
    assert facts["Regret at width 512"].value.startswith("at most 0.")
    assert "SP −" in facts["Drift of lr under μP"].note
    assert "lr 0.0031" in facts["Transferred set"].value
    (lr, std) = answer.answer_table(material.verdict).rows
    assert lr[:2] == ("lr", "PASS") and std[0] == "init_std"


def test_the_curves_as_text_have_a_minimum_in_each_row(material: ReportInputs) -> None:
    head, *lines = curve_lines(material.data.curves[0])
    assert head.startswith("log2 lr") and len(lines) == 5 + 4
    assert all(line.count("●") == 1 for line in lines)
    places = [line.index("●") for line in lines]
    mup, sp = places[:5], places[5:]
    assert len(set(mup)) == 1 and sp == sorted(sp, reverse=True) and len(set(sp)) == 4
    law = planted.Law(diverged_from=-6.0)
    df = planted.table(law)
    with_wall = curve_lines(curve_info(df, planted.question(), "lr"))
    assert any("×" in line for line in with_wall)
    assert curve_lines(curve_info(df[:0], planted.question(), "lr")) == []


def test_the_terminal_gets_whole_rows(verdict: Verdict) -> None:
    tables = {t.title: t for t in text_summary(verdict)}
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
