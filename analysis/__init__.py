"""Pure functions of the results table: optimum, transfer, verdict, figures, report, export.

    from mutransfer.analysis import judge_table, report

    result = judge_table("runs.csv", columns={"learning_rate": "hp.lr", "loss": "val_loss"})
    print(result.sentence)
    report(result, "out")

Public: the names in `__all__`, each imported when it is first used: pandas, scipy and matplotlib
take seconds, and a production trainer, which imports `analysis.best`, needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "mutransfer.analysis":  # at the repository's root: one module under two names
    raise ImportError("import mutransfer.analysis; this folder is a part of it")

if TYPE_CHECKING:
    from mutransfer.analysis.reporting.files import report
    from mutransfer.analysis.table.external import read_table
    from mutransfer.analysis.table.table import TableError
    from mutransfer.analysis.verdict.external import judge_table
    from mutransfer.analysis.verdict.judge import judge
    from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
    from mutransfer.analysis.verdict.verdict_file import VerdictError, read_verdict

__all__ = [
    "TableError",
    "Tolerance",
    "TransferQuestion",
    "VerdictError",
    "judge",
    "judge_table",
    "read_table",
    "read_verdict",
    "report",
]

_MODULES = {
    "TableError": "table.table",
    "Tolerance": "verdict.question",
    "TransferQuestion": "verdict.question",
    "VerdictError": "verdict.verdict_file",
    "judge": "verdict.judge",
    "judge_table": "verdict.external",
    "read_table": "table.external",
    "read_verdict": "verdict.verdict_file",
    "report": "reporting.files",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names too, so that a notebook completes them."""
    return sorted({*globals(), *__all__})
