"""The verdict on a table from elsewhere, in one call."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import pandas as pd

from mutransfer.analysis.table.arguments import plain_number, shown, table_faults
from mutransfer.analysis.table.axis import AXIS_LABELS, count_of
from mutransfer.analysis.table.external import read_external
from mutransfer.analysis.table.table import TableError
from mutransfer.analysis.verdict.evidence import Fits, gather
from mutransfer.analysis.verdict.hp import HPVerdict, Word
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import Tolerance, ToleranceKind, TransferQuestion
from mutransfer.analysis.verdict.table_question import table_question
from mutransfer.words import Axis, Goal

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
        notes: What was assumed of the table, in sentences.
        command: The `mutransfer analyze` of the same question; None where there is none, as for
            a DataFrame.
    """

    name: str
    table: pd.DataFrame
    question: TransferQuestion
    fits: Mapping[str, Fits]
    full_verdict: Verdict
    notes: tuple[str, ...] = ()
    command: str | None = None

    def __repr__(self) -> str:
        """Return the verdict in one sentence."""
        return f"<{self.sentence}>"

    @property
    def verdict(self) -> Word:
        """PASS, FAIL, INCONCLUSIVE or PREDICTED."""
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
        notes = {"notes": self.caveats} if self.caveats else {}
        return {**self.full_verdict.to_dict(), **notes}

    @property
    def caveats(self) -> list[str]:
        """What was assumed of the table and what it cannot show, in sentences."""
        question, sentences = self.question, [*self.notes]
        if question.tolerance.of == "score":
            sentences.append(
                "More of the metric is better: as a loss it stands in figures and tables with its "
                "sign turned, and a regret is what the score loses."
            )
        checked = [f.target for f in self.fits.values() if f.has_target_runs]
        if any(target is not None and target.is_one_seed for target in checked):
            sentences.append(
                f"One seed at {question.at(question.target_at)}: intervals rest on the scatter "
                "about the curve; the variance between seeds is unknown, so there is neither PASS "
                "nor FAIL."
            )
        if question.control is None and question.axis == "width" and question.arm == "mup":
            sentences.append("No rows of arm sp: whether SP would have drifted is unknown.")
        if question.arm == "sp":
            sentences.append(
                "No rows of arm mup: what is predicted is the optimum by the fitted law, and the "
                "regret of that value, not of one that is transferred."
            )
        if len(question.axis_values) < 3:
            plural = AXIS_LABELS[question.axis].plural
            sentences.append(f"Fewer than three {plural}: no drift can be fitted.")
        return sentences


def judge_table(
    table: pd.DataFrame | str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    axis: str = "width",
    search_at: int | str | None = None,
    target_at: int | str | None = None,
    tolerance: Mapping[str, float] | Tolerance = DEFAULT_TOLERANCE,
    defaults: Mapping[str, float] | None = None,
    goal: str = "minimize",
    sep: str | None = None,
    decimal: str | None = None,
) -> TableResult:
    """Return the verdict on a table of runs, what `mutransfer analyze TABLE` prints, as data.

    Needed columns: that of the axis, ``val_loss`` (empty where a run diverged) and one or more
    ``hp.<name>``; optional ones, and what is assumed: see `table.external.read_external`.

    Example:
        >>> result = judge_table("runs.csv", columns={"learning_rate": "hp.lr", "loss": "val_loss"})
        >>> result.verdict, result.sentence
        >>> [(o.arm, o.axis_value, o.log2_opt) for o in result.of_hp("lr").optima]
        >>> report(result, "out")  # figures and report.html

    Args:
        table: A DataFrame, or the path of a .csv or .parquet file; it is not changed.
        columns: Our name of each column by the table's name.
        axis: Along which transfer is judged: ``width``, ``batch_size``, ``steps``, ``depth`` or
            ``params``, the number of parameters.
        search_at: Axis value at which the HPs were tuned, like 64 or ``"124M"``; None: the
            smallest.
        target_at: Axis value at which they are checked; None: the largest. One beyond the table's:
            nothing was run there, and what holds is predicted from all others.
        tolerance: Accepted regret by its kind, ``{"rel_loss": 0.005}``, or a `Tolerance`; a share
            of the loss where all are above 0 only.
        defaults: Untuned values by HP, whose regret is reported for comparison.
        goal: ``maximize`` where more of ``val_loss`` is better, as of an accuracy.
        sep: Character between the cells of a .csv; None: found out.
        decimal: Decimal mark of a .csv, ``.`` or ``,``; None: found out.

    Raises:
        TableError: arguments or a table that cannot be judged; one message with all faults that
            can be found together.
    """
    source = _Source(table, columns, axis, sep=sep, decimal=decimal, goal=goal)
    asked = _checked(source, search_at, target_at, tolerance, defaults)
    read = read_external(table, columns, asked.axis, sep=sep, decimal=decimal, goal=asked.goal)
    question = table_question(
        read.rows,
        tolerance=asked.tolerance,
        search_at=asked.search_at,
        target_at=asked.target_at,
        defaults=asked.defaults,
        axis=asked.axis,
        paired=read.paired,
    )
    rows = read.rows
    fits = gather(rows, question)
    return TableResult(
        name="table" if isinstance(table, pd.DataFrame) else Path(table).name,
        table=rows,
        question=question,
        fits=fits,
        full_verdict=judge(rows, question, fits=fits),
        notes=read.notes,
        command=None if isinstance(table, pd.DataFrame) else _command(source, asked),
    )


@dataclass(frozen=True)
class _Source:
    """The arguments of `judge_table` that say which table is read, and how."""

    table: Any
    columns: Any
    axis: Any
    sep: Any
    decimal: Any
    goal: Any


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The other arguments of `judge_table`, and axis and goal, as plain Python values."""

    axis: Axis
    goal: Goal
    search_at: int | None
    target_at: int | None
    tolerance: Tolerance
    defaults: Mapping[str, float]


def _checked(
    source: _Source, search_at: Any, target_at: Any, tolerance: Any, defaults: Any
) -> _Asked:
    """The arguments as plain values; raises TableError with all that is wrong with them."""
    faults = table_faults(
        source.table,
        source.columns,
        source.axis,
        sep=source.sep,
        decimal=source.decimal,
        goal=source.goal,
    )
    search = _whole("search_at", search_at, faults)
    target = _whole("target_at", target_at, faults)
    accepted = _tolerance(tolerance, faults)
    untuned = _defaults(defaults, faults)
    if faults or accepted is None:
        raise TableError("\n".join(faults))
    return _Asked(
        axis=source.axis,
        goal=source.goal,
        search_at=search,
        target_at=target,
        tolerance=replace(accepted, of="loss" if source.goal == "minimize" else "score"),
        defaults=untuned,
    )


def _whole(name: str, value: Any, faults: list[str]) -> int | None:
    number = count_of(value) if isinstance(value, str) else plain_number(value)
    if number is not None and number == int(number):
        return int(number)
    if value is not None:
        faults.append(f"{name}: a whole number; got {shown(value)}; give one value of the axis")
    return None


def _tolerance(tolerance: Any, faults: list[str]) -> Tolerance | None:
    if isinstance(tolerance, Tolerance):
        return tolerance
    if not isinstance(tolerance, Mapping) or len(tolerance) != 1:
        rule = f"tolerance: one of {', '.join(get_args(ToleranceKind))} with a number"
        faults.append(f"{rule}; got {shown(tolerance)}; write it like {{'rel_loss': 0.005}}")
        return None
    ((kind, value),) = tolerance.items()
    try:
        return Tolerance(kind=kind, value=value)
    except ValueError as error:
        faults.append(str(error))
        return None


def _defaults(defaults: Any, faults: list[str]) -> dict[str, float]:
    if defaults is None:
        return {}
    if not isinstance(defaults, Mapping):
        rule = "defaults: a mapping of HPs to numbers"
        faults.append(f"{rule}; got {shown(defaults)}; write it like {{'lr': 0.001}}")
        return {}
    values = {hp: plain_number(value) for hp, value in defaults.items()}
    faults += [
        f"defaults: a finite number above 0 for {shown(hp)}; got {shown(defaults[hp])}; correct it"
        for hp, value in values.items()
        if value is None or value <= 0
    ]
    return {hp: value for hp, value in values.items() if value is not None}


def _command(source: _Source, asked: _Asked) -> str | None:
    """The command that asks the same; None if a name cannot be written in its options."""
    columns = source.columns or {}
    names = [*columns, *columns.values(), *asked.defaults]
    if any("," in name or "=" in name or name != name.strip() or not name for name in names):
        return None
    options = {
        "--columns": ",".join(f"{theirs}={ours}" for theirs, ours in columns.items()),
        "--axis": "" if asked.axis == "width" else asked.axis,
        "--goal": "" if asked.goal == "minimize" else asked.goal,
        "--search-at": asked.search_at,
        "--target-at": asked.target_at,
        "--tolerance": f"{asked.tolerance.kind}={asked.tolerance.value!r}",
        "--default": ",".join(f"{hp}={value!r}" for hp, value in asked.defaults.items()),
        "--sep": source.sep,
        "--decimal": source.decimal,
    }
    words = [w for name, v in options.items() if v not in ("", None) for w in (name, str(v))]
    return shlex.join(["mutransfer", "analyze", str(source.table), *words])
