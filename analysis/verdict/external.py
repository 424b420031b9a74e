"""The verdict on a table from elsewhere, in one call."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import pandas as pd

from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.table.external import read_table
from mutransfer.analysis.table.table import TableError
from mutransfer.analysis.verdict.evidence import Fits, gather
from mutransfer.analysis.verdict.hp import HPVerdict, Word
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import Tolerance, ToleranceKind, TransferQuestion
from mutransfer.analysis.verdict.table_question import table_question
from mutransfer.words import AXES

DEFAULT_TOLERANCE: Mapping[str, float] = MappingProxyType({"rel_loss": 0.005})


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TableResult:
    """The verdict on a table, with all that its figures and its report need.

    Attributes:
        name: File name of the table; ``table`` for a DataFrame.
        table: The table in this project's columns.
        question: The question that was judged.
        fits: The fitted slices by HP.
        full_verdict: The verdict with all its figures.
    """

    name: str
    table: pd.DataFrame
    question: TransferQuestion
    fits: Mapping[str, Fits]
    full_verdict: Verdict

    def __repr__(self) -> str:
        """Return the verdict in one sentence."""
        return f"<{self.sentence}>"

    @property
    def verdict(self) -> Word:
        """PASS, FAIL or INCONCLUSIVE."""
        return self.full_verdict.verdict

    @property
    def sentence(self) -> str:
        """The verdict in one sentence with figures."""
        return self.full_verdict.sentence

    @property
    def hps(self) -> tuple[HPVerdict, ...]:
        """The verdicts on single HPs: optima, drift, regret, conditions, causes."""
        return self.full_verdict.hps

    def of_hp(self, hp: str) -> HPVerdict:
        """Return the verdict on one HP.

        Raises:
            KeyError: ``hp`` was not sliced.
        """
        return self.full_verdict.of_hp(hp)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, equal to that of `mutransfer analyze TABLE --json`."""
        return self.full_verdict.to_dict()

    @property
    def caveats(self) -> list[str]:
        """What the table cannot show, in sentences."""
        question, sentences = self.question, []
        if len(question.target_seeds) < 2:
            sentences.append(
                f"One seed at {question.at(question.target_at)}: intervals rest on the scatter "
                "about the curve; the variance between seeds is unknown, so there is no PASS."
            )
        if question.control is None and question.axis == "width":
            sentences.append("No rows of arm sp: whether SP would have drifted is unknown.")
        if len(question.axis_values) < 3:
            plural = AXIS_LABELS[question.axis].plural
            sentences.append(f"Fewer than three {plural}: no drift can be fitted.")
        return sentences


def judge_table(
    table: pd.DataFrame | str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    axis: str = "width",
    search_at: int | None = None,
    target_at: int | None = None,
    tolerance: Mapping[str, float] | Tolerance = DEFAULT_TOLERANCE,
    defaults: Mapping[str, float] | None = None,
) -> TableResult:
    """Return the verdict on a table of runs, what `mutransfer analyze TABLE` prints, as data.

    Needed columns: ``width``, that of the axis, ``val_loss`` (empty where a run diverged) and one
    or more ``hp.<name>``; optional ones: see `read_table`.

    Example:
        >>> result = judge_table("runs.csv", columns={"learning_rate": "hp.lr", "loss": "val_loss"})
        >>> result.verdict, result.sentence
        >>> [(o.arm, o.axis_value, o.log2_opt) for o in result.of_hp("lr").optima]
        >>> report(result, "out")  # figures and report.html

    Args:
        table: A DataFrame, or the path of a .csv or .parquet file; it is not changed.
        columns: Our name of each column by the table's name.
        axis: Along which transfer is judged: ``width``, ``batch_size``, ``steps`` or ``depth``.
        search_at: Axis value at which the HPs were tuned; None: the smallest.
        target_at: Axis value at which they are checked; None: the largest.
        tolerance: Accepted regret by its kind, ``{"rel_loss": 0.005}``, or a `Tolerance`.
        defaults: Untuned values by HP, whose regret is reported for comparison.

    Raises:
        TableError: arguments or a table that cannot be judged; one message with all faults that
            can be found together.
    """
    _check_arguments(axis, tolerance)
    rows = read_table(table, columns, axis)  # type: ignore[arg-type]
    question = table_question(
        rows,
        tolerance=_tolerance(tolerance),
        search_at=search_at,
        target_at=target_at,
        defaults=defaults,
        axis=axis,  # type: ignore[arg-type]
    )
    fits = gather(rows, question)
    return TableResult(
        name="table" if isinstance(table, pd.DataFrame) else Path(table).name,
        table=rows,
        question=question,
        fits=fits,
        full_verdict=judge(rows, question, fits=fits),
    )


def _check_arguments(axis: str, tolerance: Mapping[str, float] | Tolerance) -> None:
    faults = []
    if axis not in AXES:
        faults.append(f"axis: one of {', '.join(AXES)}; got {axis!r}; pick one")
    try:
        _tolerance(tolerance)
    except (ValueError, TypeError) as error:
        faults.append(str(error))
    if faults:
        raise TableError("\n".join(faults))


def _tolerance(tolerance: Mapping[str, float] | Tolerance) -> Tolerance:
    if isinstance(tolerance, Tolerance):
        return tolerance
    if not isinstance(tolerance, Mapping) or len(tolerance) != 1:
        kinds = ", ".join(get_args(ToleranceKind))
        raise TypeError(f"tolerance: one of {kinds} with a number; got {tolerance!r}; give one")
    ((kind, value),) = tolerance.items()
    return Tolerance(kind=kind, value=value)  # type: ignore[arg-type]
