"""The report: one self-contained HTML file with the verdict on top."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from analysis import rows
from analysis.axis import WORDS
from analysis.gallery import Gallery
from analysis.question import Question
from analysis.report_template import PAGE
from analysis.rows import TextTable, text_summary
from analysis.verdict import Verdict

__all__ = ["TextTable", "html", "text_summary", "write"]


def html(
    run_info: Mapping[str, Any],
    verdict: Verdict,
    df: pd.DataFrame,
    question: Question,
    figures: Mapping[str, bytes],
    gallery: Gallery | None = None,
    coordcheck: str | None = None,
) -> str:
    """Return the report as one HTML page without outside references.

    Args:
        run_info: Provenance by name (study, versions, commit, host, …); ``study`` is the title.
        verdict: The verdict.
        df: The results table.
        question: What was asked.
        figures: Files by name, as `analysis.figures.files`; those ending in .svg are shown.
        gallery: Samples to show beside real images.
        coordcheck: What the coordinate check said; its plots are among the figures.
    """
    one = WORDS[verdict.axis].one
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.ChainableUndefined)
    return environment.from_string(PAGE).render(
        run=dict(run_info),
        verdict=verdict,
        conditions=rows.conditions_table(verdict),
        causes=rows.causes_table(verdict),
        settle=rows.settle_table(verdict),
        optima=rows.optima_table(verdict),
        drifts=rows.drift_table(verdict),
        alternatives=rows.alternatives_table(verdict),
        scaling=rows.scaling_table(verdict),
        hps=rows.hps_table(question),
        cost=rows.cost_table(verdict.cost),
        limits=rows.limits(question, verdict),
        n_rows=len(df),
        one=one,
        caption=partial(caption, one=one),
        gallery=gallery,
        coordcheck=coordcheck,
        figures=[
            (name.removesuffix(".svg"), _inline(name, svg))
            for name, svg in figures.items()
            if name.endswith(".svg")
        ],
    )


def write(
    run_info: Mapping[str, Any],
    verdict: Verdict,
    df: pd.DataFrame,
    question: Question,
    figures: Mapping[str, bytes],
    out_path: str | Path,
    gallery: Gallery | None = None,
) -> Path:
    """Write `html` to a local file and return its path."""
    path = Path(out_path)
    path.write_text(html(run_info, verdict, df, question, figures, gallery), encoding="utf-8")
    return path


def caption(name: str, one: str = "width") -> str:
    """Return what a figure of `analysis.figures.all_figures` shows, in a sentence."""
    kind, _, hp = name.partition("_")
    return {
        "loss": f"Final validation loss against {hp} at each {one}: minimum with its 95 % interval "
        "(bar), range of seeds (band), divergence (hatched), transferred value (dotted).",
        "drift": f"The best {hp} against {one} with 95 % intervals, and the fitted drift.",
        "coordcheck": f"Coordinate check, {hp}: size against width at each step, SP above μP; "
        "under μP it is to be flat.",
        "search": f"The trials of the search at the search {one}; crosses diverged.",
    }.get(kind, name)


def _inline(name: str, svg: bytes) -> Markup:
    """The SVG element with ids of its own: several figures share one page."""
    text = svg.decode("utf-8")
    text = text[text.index("<svg") :]
    mark = re.sub(r"\W", "-", name.removesuffix(".svg"))
    return Markup(re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{mark}-", text))
