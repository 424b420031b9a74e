"""The report: one self-contained HTML file with the answer at the top."""

import base64
import hashlib
from functools import partial
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from mutransfer.analysis.figures import style
from mutransfer.analysis.reporting import answer
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.sections import sections
from mutransfer.analysis.table.axis import axis_value_text

TEMPLATES = resources.files("mutransfer.analysis.reporting") / "templates"


def html(inputs: ReportInputs) -> str:
    """Return the report as one HTML page without external references.

    The content security policy of the page allows one script, by its hash, and no requests: markup
    in a name or an error message is neither run nor fetched.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = _template("report.js")
    progress = inputs.progress.sentence if inputs.is_under_way and inputs.progress else ""
    return environment.from_string(_template("report.html.j2")).render(
        title=str(inputs.run_info.get("study") or "study"),
        word=answer.word(inputs),
        sentence=answer.sentence(inputs),
        facts=answer.facts(inputs),
        progress=progress,
        sections=sections(inputs),
        axis_value_text=partial(axis_value_text, inputs.axis),
        css=Markup(_template("report.css")),
        dark=Markup(style.dark_css()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def write(inputs: ReportInputs, out_path: str | Path) -> Path:
    """Write `html` to a local file and return its path."""
    path = Path(out_path)
    path.write_text(html(inputs), encoding="utf-8")
    return path
