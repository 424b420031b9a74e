"""`mutransfer analyze TABLE.csv`: a verdict on a table from elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from mutransfer import __version__
from mutransfer.analysis.table import external
from mutransfer.analysis.table.axis import WORDS
from mutransfer.analysis.verdict import external as foreign_external
from mutransfer.analysis.verdict.judge import judge
from mutransfer.analysis.verdict.question import Tolerance, ToleranceKind, TransferQuestion
from mutransfer.sweep.errors import UserError
from mutransfer.words import AXES

if TYPE_CHECKING:
    from mutransfer.analysis.reporting.contents import ReportInputs

SUFFIXES = (".csv", ".parquet")
TOLERANCE = "rel_loss=0.005"


def is_table(name: str) -> bool:
    """Whether an argument names a table rather than a study or a run directory."""
    return name.endswith(SUFFIXES) and not Path(name).is_dir()


def analyze(
    path: Path,
    *,
    columns: str = "",
    tolerance: str = TOLERANCE,
    search_at: int | None = None,
    target_at: int | None = None,
    default: str = "",
    axis: str = "width",
) -> "ReportInputs":
    """The verdict on a table.

    Raises:
        UserError: an option that cannot be read.
        TableError: as ``analysis.foreign``.
    """
    if axis not in AXES:
        raise UserError(f"--axis: one of {', '.join(AXES)}; got {axis!r}; mend it")
    table = external.read(path, _pairs("--columns", columns), axis)
    asked = foreign_external.question(
        table,
        tolerance=_tolerance(tolerance),
        search_at=search_at,
        target_at=target_at,
        defaults={hp: _number("--default", v) for hp, v in _pairs("--default", default).items()},
        axis=axis,
    )
    from mutransfer.analysis.reporting.contents import ReportInputs  # it imports scikit-learn

    info = {
        "study": path.name,
        "mutransfer": __version__,
        "command": f"mutransfer analyze {path.name}",
    }
    return ReportInputs(
        run_info=info,
        df=table,
        search_at=asked.search_at,
        axis=asked.axis,
        verdict=judge(table, asked),
        question=asked,
    )


def cannot_say(question: TransferQuestion) -> list[str]:
    """What a table leaves unsaid, in sentences."""
    told = []
    if len(question.target_seeds) < 2:
        told.append(
            f"One seed at {question.at(question.target_at)}: intervals rest on the scatter "
            "about the curve; what differs from seed to seed cannot be told, so there is no PASS."
        )
    if question.control is None and question.axis == "width":
        told.append("No rows of arm sp: whether SP would have drifted cannot be told.")
    if len(question.axis_values) < 3:
        told.append(f"Fewer than three {WORDS[question.axis].many}: no drift can be fitted.")
    return told


def write(found: "ReportInputs", folder: Path) -> list[str]:
    """Write verdict.json, plots/ and report.html into a folder; their paths."""
    from mutransfer.sweep.results.analyze import files  # matplotlib takes a second

    made = files(found)
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}; choose another") from None
    return [str(folder / name) for name in made]


def _pairs(option: str, text: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise UserError(f"{option}: pairs like name=value, with commas; got {pair!r}; mend it")
        found[name.strip()] = value.strip()
    return found


def _number(option: str, text: str) -> float:
    base, power, exponent = text.partition("^")
    try:
        return float(base) ** float(exponent) if power else float(base)
    except ValueError:
        raise UserError(f"{option}: a number (2^-8, 3e-4); got {text!r}; mend it") from None


def _tolerance(text: str) -> Tolerance:
    kinds = get_args(ToleranceKind)
    pairs = _pairs("--tolerance", text)
    if len(pairs) != 1 or next(iter(pairs)) not in kinds:
        raise UserError(f"--tolerance: one of {', '.join(kinds)} = a number; got {text!r}; mend it")
    ((kind, value),) = pairs.items()
    number = _number("--tolerance", value)
    try:
        return Tolerance(kind=kind, value=number)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"--tolerance: {error}") from None
