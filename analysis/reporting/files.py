"""The files of an analysis: plots/, verdict.json and report.html."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.reporting import page
from mutransfer.analysis.reporting.contents import ReportInputs, all_plots
from mutransfer.analysis.table.arguments import shown
from mutransfer.analysis.verdict.external import TableResult

REPORT = "report.html"


def report(result: TableResult, folder: str | Path) -> Path:
    """Write the figures (plots/), verdict.json and report.html of a table into a folder.

    Example:
        >>> report(judge_table("runs.csv"), "out")

    Args:
        result: What `judge_table` returned.
        folder: Created where it is missing; files of these names are replaced.

    Returns:
        The path of report.html.

    Raises:
        TypeError: ``result`` is none of `judge_table`, or ``folder`` no path.
        OSError: the folder cannot be written.
    """
    if not isinstance(result, TableResult):
        raise TypeError(
            f"result: what judge_table returned; got {shown(result)}; call judge_table first"
        )
    root = Path(folder)
    files = report_files(table_inputs(result))
    (root / "plots").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name).write_bytes(content)
    return root / REPORT


def table_inputs(result: TableResult) -> ReportInputs:
    """Return what the report of a table shows."""
    info = {"study": result.name, "mutransfer": metadata.version("mutransfer")}
    if result.command is not None:
        info["command"] = result.command
    return ReportInputs(
        run_info=info,
        df=result.table,
        search_at=result.question.search_at,
        target_at=result.question.target_at,
        cost=result.full_verdict.cost,
        axis=result.question.axis,
        verdict=result.full_verdict,
        question=result.question,
        fits=result.fits,
        notes=tuple(result.caveats),
    )


def report_files(inputs: ReportInputs) -> dict[str, bytes]:
    """Return the content of all files by path in the folder, the report last."""
    plots = canvas.files(all_plots(inputs))
    files = {f"plots/{name}": content for name, content in plots.items()}
    if inputs.verdict is not None:
        files["verdict.json"] = json.dumps(to_dict(inputs), indent=1).encode()
    return files | {REPORT: page.html(inputs).encode()}


def to_dict(inputs: ReportInputs) -> dict[str, Any]:
    """Return the answer as plain data: verdict.json, or verdict None where there is none yet.

    Beside it stand ``notes``, what was assumed of a table; convergence, which does not enter the
    verdict; and ``progress`` while trials are missing.
    """
    verdict = inputs.verdict
    content: dict[str, Any] = {"verdict": None} if verdict is None else verdict.to_dict()
    if inputs.notes:
        content["notes"] = list(inputs.notes)
    if inputs.convergence is not None:
        content["convergence"] = inputs.convergence.to_dict()
    if inputs.is_under_way and inputs.progress:
        content["progress"] = inputs.progress._asdict()
    return content
