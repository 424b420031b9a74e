"""The limits of a study: what it may spend, and how many of its trials may fail."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mutransfer.sweep.errors import RunError
from mutransfer.sweep.spec.sections import Limits

MAX_ERRORS = 5  # that are printed


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a study has spent, running trials included.

    Attributes:
        flops: Training FLOPs.
        wall_s: Seconds since this run began.
        trials: Number of trials.
    """

    flops: float
    wall_s: float
    trials: int


def reached(limits: Limits, spent: Spent, next_flops: float) -> str | None:
    """The limit that a further trial would exceed, as text; None where it may start."""
    if limits.trials is not None and spent.trials >= limits.trials:
        return f"limits.trials: {limits.trials} trials have run"
    if limits.flops is not None and spent.flops + next_flops > limits.flops:
        return (
            f"limits.flops: {spent.flops:.3g} of {limits.flops:.3g} FLOPs are spent, and the next "
            f"trial takes {next_flops:.3g}"
        )
    if limits.wall_s is not None and spent.wall_s >= limits.wall_s:
        return f"limits.wall_s: {spent.wall_s:.0f} s have passed"
    return None


def require_few_failures(limits: Limits | None, rows: Iterable[Mapping[str, Any]]) -> None:
    """Return where not too many trials have failed.

    Raises:
        RunError: more than the limit; with the errors, grouped.
    """
    if limits is None or limits.max_failed_fraction is None:
        return
    known = list(rows)
    failed = [row for row in known if row["status"] == "failed"]
    too_many = len(failed) > limits.max_failed_fraction * len(known)
    if too_many and len(failed) >= Limits.MIN_FAILED:
        raise RunError(
            f"{len(failed)} of {len(known)} trials failed, more than "
            f"limits.max_failed_fraction {limits.max_failed_fraction:g}:\n"
            + "\n".join(f"    {n} × {text}" for text, n in grouped(failed)[:MAX_ERRORS])
            + "\ncorrect the cause, then run again with --retry-failed"
        )


def grouped(failed: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Errors that differ in numbers alone as one, with how often it was seen; most frequent first.

    The text is that of the first.
    """
    texts = [" ".join(str(row["error"] or "no error text").split()) for row in failed]
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for text in texts:
        kind = re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", text)
        first.setdefault(kind, text)
        counts[kind] += 1
    return [(first[kind][:300], n) for kind, n in counts.most_common()]
