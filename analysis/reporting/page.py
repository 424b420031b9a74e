"""The report: one self-contained HTML file with the answer on top."""

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
from mutransfer.analysis.table.axis import at

TEMPLATES = resources.files("mutransfer.analysis.reporting") / "templates"


def html(material: ReportInputs) -> str:
    """Return the report as one HTML page without outside references.

    The page's only script is named by its hash in the page's content security policy: nothing
    that came in with a name or an error message would run, or be fetched.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = _read("report.js")
    return environment.from_string(_read("report.html.j2")).render(
        title=str(material.run_info.get("study") or "study"),
        word=answer.word(material),
        sentence=answer.sentence(material),
        facts=answer.facts(material),
        progress=material.progress.sentence if material.is_under_way and material.progress else "",
        sections=sections(material),
        at=partial(at, material.axis),
        css=Markup(_read("report.css")),
        dark=Markup(style.dark_css()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def write(material: ReportInputs, out_path: str | Path) -> Path:
    """Write `html` to a local file and return its path."""
    path = Path(out_path)
    path.write_text(html(material), encoding="utf-8")
    return path
