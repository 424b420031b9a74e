"""The report as HTML: self-contained, the verdict at the top, names cannot break out."""

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import Markup

from mutransfer.analysis.reporting import page
from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress
from mutransfer.analysis.reporting.samples import Gallery, SamplePair
from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def html(inputs: ReportInputs) -> str:
    pairs = [SamplePair(text=HOSTILE, real_png=b"real", drawn_png=b"drawn")]
    info = {"study": HOSTILE, "commit": "abc"}
    return page.html(replace(inputs, run_info=info, gallery=Gallery("0f", 64, pairs)))


def test_the_verdict_comes_first_and_all_parts_follow(html: str, verdict: Verdict) -> None:
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
    positions = [html.index(text) for text in order]
    assert positions == sorted(positions)
    assert str(Markup.escape(verdict.sentence)) in html


def test_hostile_names_are_escaped(html: str) -> None:
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    assert html.count("<script") == 1


def test_the_only_script_is_the_one_that_the_policy_names(html: str) -> None:
    script = re.search(r"<script>(.*)</script>", html, flags=re.S)[1]
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert f"script-src 'sha256-{script_hash}'" in policy and "default-src 'none'" in policy


def test_the_page_is_self_contained(html: str) -> None:
    assert html.count("<svg") > 9
    assert not re.search(r'(src|href)="(https?:)?//', html)
    assert "<link" not in html and "@import" not in html


def test_ids_of_the_figures_do_not_collide(html: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", html)) | set(re.findall(r'href="#([^"]+)"', html))
    assert used <= set(ids)


def test_samples_stand_beside_real_images_with_their_captions_escaped(html: str) -> None:
    drawn, real = (base64.b64encode(png).decode() for png in (b"drawn", b"real"))
    assert html.index(f"base64,{drawn}") < html.index(f"base64,{real}")
    assert "at width 64" in html and HOSTILE not in html and "alert(" in html


def test_reasons_are_shown_unless_the_verdict_is_pass(study: pd.DataFrame, tmp_path: Path) -> None:
    question = planted.question(transferred=None)
    inputs = ReportInputs(
        run_info={},
        df=study[:0],
        search_at=64,
        verdict=judge(study, question),
        question=question,
        fits=gather(study, question),
    )
    html = page.write(inputs, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No transferred set" in html
    assert 'class="verdict INCONCLUSIVE"' in html


def test_a_report_of_a_search_under_way_lists_what_is_missing(study: pd.DataFrame) -> None:
    rows = study[study["asked_by"] == "search"][:5]
    progress = StudyProgress(5, 40, (("search", 3), ("slices", 32)))
    html = page.html(ReportInputs(run_info={}, df=rows, search_at=64, progress=progress))
    assert "5 of about 40 trials. Still missing: 3 of search, 32 of slices." in html
    assert 'class="verdict UNDER-WAY"' in html and "No verdict yet" in html
    assert 'id="figure-search"' in html and 'id="figure-loss_lr"' not in html
    assert "5 search trials are too few for 2 HPs" in html
