"""The power of a study: its design and what is known or assumed of its losses."""

import numpy as np
import pandas as pd

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.fit.optimum import lowest_point
from mutransfer.analysis.power.assumption import Assumption
from mutransfer.analysis.power.design import Design, SliceDesign
from mutransfer.analysis.power.power import Power, power
from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.analysis.transfer.prediction import MIN_AXIS_VALUES
from mutransfer.sweep.plan import slices
from mutransfer.sweep.plan.decisions import CENTRE, Decisions, gives_transferred
from mutransfer.sweep.spec.sections import Assume, SliceSize
from mutransfer.sweep.spec.study import Study

# A design that passes less often than this when all is well is not worth its cost.
MIN_POWER = 0.5
# Where curves are steep, values further apart leave the optimum open whatever the noise.
CLOSE = 0.5


def power_of(
    study: Study, decisions: Decisions, table: pd.DataFrame, *, n_draws: int | None = None
) -> Power | None:
    """The chances of the verdict of a study; None where its tolerance is no share of the loss.

    Args:
        study: The study.
        decisions: Its decisions so far.
        table: The results so far. Where the slices at the search have run, noise and curve are
            measured there; else they are those of `assume` or its defaults.
        n_draws: Number of simulated studies; None: `analysis.power.power.N_DRAWS`.
    """
    fits = _fits_at_search(study, decisions, table)
    tolerance = _tolerance_rel(study, fits)
    if tolerance is None:
        return None
    assumption = _assumption(study, fits, tolerance)
    return power(design_of(study, tolerance), assumption, n_draws=n_draws)


def design_of(study: Study, tolerance_rel: float) -> Design:
    """What a study runs for its verdict, at a tolerance that is a share of the best loss."""
    transfer, target = study.transfer, study.target
    return Design(
        n_hps=len(transfer.parameters),
        axis_values=tuple(sorted({*transfer.axis_values, study.search_at})),
        search_at=study.search_at,
        target_at=study.target_at,
        points=transfer.points,
        target_points=target.points or 0,
        seeds=transfer.seeds,
        target_seeds=target.seeds or 0,
        spacing_log2=transfer.spacing_log2,
        refine=transfer.refine,
        max_extend=transfer.max_extend,
        tolerance_rel=tolerance_rel,
        check=target.check,
        max_looks=target.max_looks or 0,
        at={value: _slice_design(transfer.size_at(value)) for value in transfer.at or {}},
    )


def _slice_design(size: SliceSize) -> SliceDesign:
    assert None not in (size.points, size.spacing_log2, size.seeds), "complete by `size_at`"
    return SliceDesign(size.points or 0, size.spacing_log2 or 0.0, size.seeds or 0)


def _fits_at_search(study: Study, decisions: Decisions, table: pd.DataFrame) -> list[Fit]:
    """The fitted μP slices at the search, those with a noise of their own."""
    if CENTRE not in decisions or table.empty:
        return []
    plans = slices.ladder(study, decisions[CENTRE]["centre"])
    fits = fit_slices([p.read(study, table) for p in plans if gives_transferred(study, p)])
    return [fit for fit in fits if fit.ok and not fit.from_residuals]


def _tolerance_rel(study: Study, fits: list[Fit]) -> float | None:
    tolerance = study.target.tolerance
    if tolerance.kind == "rel_loss":
        return tolerance.value
    if tolerance.kind == "abs_loss" and fits:
        return tolerance.value / min(_best(fit) for fit in fits)
    return None


def _assumption(study: Study, fits: list[Fit], tolerance_rel: float) -> Assumption:
    """Noise and curve as the slices at the search show them; what they do not show is assumed."""
    assume = study.assume or Assume()
    assumed = "assumed (`assume:`)" if study.assume else "assumed, as in our dense sweeps"
    if not fits:
        return Assumption(noise_rel=assume.noise_rel, gain_rel=assume.gain_rel, source=assumed)
    noise_rel = float(np.mean([fit.noise_var / _best(fit) ** 2 for fit in fits])) ** 0.5
    # An HP whose curve is flat within the tolerance does not keep a set from a PASS.
    gains = [gain for fit in fits if (gain := _gain_rel(fit)) > tolerance_rel]
    if not gains:
        source = f"noise measured in the slices at the search, the cost of an octave {assumed}"
        return Assumption(noise_rel=noise_rel, gain_rel=assume.gain_rel, source=source)
    source = "measured in the slices at the search"
    return Assumption(noise_rel=noise_rel, gain_rel=min(gains), source=source)


def _best(fit: Fit) -> float:
    return abs(float(fit.means.min()))


def _gain_rel(fit: Fit) -> float:
    """What an octave from the optimum costs, the mean of both sides; 0 without a minimum."""
    lowest = lowest_point(fit)
    if lowest is None:
        return 0.0
    low, middle, high = fit.value(lowest + np.array([-1.0, 0.0, 1.0]))
    return float((low + high) / 2 - middle) / _best(fit)


def power_sentence(study: Study, chances: Power | None) -> str:
    """The chances in words, and what to change where they are low."""
    if chances is None:
        return "Power: unknown, for the tolerance is no share of the loss and no loss is known yet."
    at_0, at_half, at_2 = (
        f"{100 * chance:.0f} %"
        for chance in (chances.pass_at_0, chances.pass_at_half, chances.fail_at_2)
    )
    text = (
        f"Power: a chance of PASS of {at_0} where the set loses nothing, of {at_half} at half the "
        f"tolerance, and of FAIL of {at_2} at twice the tolerance ({chances.n_draws} simulated "
        f"studies; noise of one run {100 * chances.noise_rel:.2g} % of the loss, an octave off "
        f"costs {100 * chances.gain_rel:.2g} %: {chances.source})."
    )
    if chances.target_runs is not None:
        text += f" A PASS comes after {chances.target_runs:.3g} runs at the target on average."
    return text if chances.pass_at_0 >= MIN_POWER else f"{text} {_remedy(study)}"


def can_predict(study: Study) -> bool:
    """Whether a study has so many axis values that something may be promised beyond its target."""
    return len(study.axis_values) >= MIN_AXIS_VALUES


def prediction_sentence(study: Study) -> str:
    """What the study can say beyond its target, in words."""
    singular, plural = AXIS_LABELS[study.axis]
    n = len(study.axis_values)
    start = (
        f"Beyond {axis_value_text(study.axis, study.target_at)} an export is at best PREDICTED, "
        f"from {n} {plural} with the target's"
    )
    if can_predict(study):
        return f"{start}, where noise is low and the optimum does not drift."
    return (
        f"{start}: three promise nothing, since a constant, a drift and a limit fit them alike. "
        f"{MIN_AXIS_VALUES} or 5 at low noise do: add a small {singular}, which is cheap."
    )


def _remedy(study: Study) -> str:
    closer = study.transfer.spacing_log2 > CLOSE or not study.transfer.refine
    values = f"values {CLOSE:g} octaves apart (`spacing_log2`), " if closer else ""
    return (
        f"Under {100 * MIN_POWER:.0f} % a study rarely decides. What helps: {values}more seeds, "
        "less noise between seeds (a longer anneal, larger batches), a larger tolerance."
    )
