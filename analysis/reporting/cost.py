"""The cost of a study in words and as a table, before and after it ran."""

from mutransfer.analysis.text_table import TextTable, flops_text, number, percent_text
from mutransfer.analysis.verdict.cost import Amount, Cost

COUNTED = (
    "Counted are the matrix products of training steps, forward and backward; not validation, the "
    "coordinate check or steps repeated after a worker died."
)
AT_TARGET = "tune at target"  # the row of the alternative


def cost_table(cost: Cost) -> TextTable:
    """Return the cost by stage, the whole, and tuning at the target; no rows without FLOPs."""
    rows = [(stage, *amount_cells(cost, amount)) for stage, amount in cost.by_stage.items()]
    rows.append(("all", *amount_cells(cost, cost)))
    if cost.tuning_at_target is not None:
        rows.append((AT_TARGET, *amount_cells(cost, cost.tuning_at_target)))
    columns = ("stage", "trials", *amount_columns(cost))
    return TextTable("Cost", columns, tuple(rows) if cost.flops else ())


def amount_columns(cost: Cost) -> tuple[str, ...]:
    """Return the columns of an amount beside its trials; shares only where they are known."""
    target_runs = () if cost.target_flops is None else ("target runs",)
    share = () if cost.production_flops is None else ("production",)
    return ("FLOPs", *target_runs, *share)


def amount_cells(cost: Cost, amount: Amount) -> tuple[str, ...]:
    """Return the number of trials and the cells of `amount_columns`."""
    cells = [str(amount.n_trials), number(amount.flops, 3)]
    if cost.target_flops is not None:
        cells.append(number(amount.target_runs, 3))
    if amount.share_of_production is not None:
        cells.append(percent_text(amount.share_of_production))
    return tuple(cells)


def cost_sentences(cost: Cost, at: str, *, planned: bool = False) -> tuple[str, ...]:
    """Return what a study costs, what tuning at the target would cost, and what is counted.

    Args:
        cost: The cost of a study.
        at: The target in words, such as "width 256".
        planned: Nothing has run yet.
    """
    if cost.target_flops is None:
        return ()
    subject = (
        "All trials will cost about"
        if planned
        else "All trials, diverged and failed ones included, cost"
    )
    search = cost.by_stage.get("search")
    lines = [
        f"{subject} {amount_text(cost)}"
        + (f"; the search alone {amount_text(search)}." if search else "."),
        _units(cost, at),
    ]
    if (tuning := cost.tuning_at_target) and cost.flops:
        lines.append(
            f"Tuning at the target instead costs {amount_text(tuning)}, "
            f"{number(tuning.flops / cost.flops, 2)} times as much: {tuning.n_trials} HP sets, as "
            f"many as the search has, each trained once at {at}, without slices or a check."
        )
    if n := cost.n_trials_without_flops:
        lines.append(f"The FLOPs of {n} trial(s) are not known and counted as 0.")
    return (*lines, COUNTED)


def amount_text(amount: Amount) -> str:
    """Return an amount in target runs and, where there is one, as a share of production."""
    text = f"{number(amount.target_runs, 3)} target runs"
    if amount.share_of_production is None:
        return text
    return f"{text} ({percent_text(amount.share_of_production)} of the production run)"


def _units(cost: Cost, at: str) -> str:
    assert cost.target_flops is not None
    text = f"One target run, at {at}, is {flops_text(cost.target_flops)}"
    if cost.production_flops is None:
        return f"{text}."
    return f"{text}; the production run {flops_text(cost.production_flops)}."


def progress_text(cost: Cost, flops_left: float | None) -> str:
    """Return the cost of an unfinished study so far, short: 4.2 of 31.8 target runs.

    Args:
        cost: What was spent.
        flops_left: FLOPs of the trials that are missing; None if they are not known.
    """
    if cost.target_runs is None or cost.target_flops is None:
        return ""
    if flops_left is None:
        return f"{number(cost.target_runs, 3)} target runs"
    planned = cost.target_runs + flops_left / cost.target_flops
    return f"{number(cost.target_runs, 3)} of {number(planned, 3)} target runs"
