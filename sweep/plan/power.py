"""The power of a study: its design and what is known or assumed of its losses."""

import numpy as np
import pandas as pd

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.fit.optimum import lowest_point
from mutransfer.analysis.power.assumption import Assumption
from mutransfer.analysis.power.design import Design
from mutransfer.analysis.power.power import N_DRAWS, Power, power
from mutransfer.sweep.plan import slices
from mutransfer.sweep.plan.decisions import CENTRE, Decisions, gives_transferred
from mutransfer.sweep.spec.sections import Assume
from mutransfer.sweep.spec.study import Study


def power_of(
    study: Study, decisions: Decisions, table: pd.DataFrame, *, n_draws: int = N_DRAWS
) -> Power | None:
    """The chances of the verdict of a study; None where its tolerance is no share of the loss.

    Args:
        study: The study.
        decisions: Its decisions so far.
        table: The results so far. Where the slices at the search have run, noise and curve are
            measured there; else they are those of `assume` or its defaults.
        n_draws: Number of simulated studies.
    """
    fits = _fits_at_search(study, decisions, table)
    tolerance = _tolerance_rel(study, fits)
    if tolerance is None:
        return None
    assumption = _measured(fits, tolerance) or _assumed(study.assume)
    return power(_design(study, tolerance), assumption, n_draws=n_draws)


def _design(study: Study, tolerance_rel: float) -> Design:
    transfer, target = study.transfer, study.target
    return Design(
        n_hps=len(transfer.parameters),
        axis_values=tuple(sorted({*transfer.axis_values, study.search_at})),
        search_at=study.search_at,
        target_at=study.target_at,
        points=transfer.points,
        target_points=target.points,
        seeds=transfer.seeds,
        target_seeds=target.seeds,
        spacing_log2=transfer.spacing_log2,
        refine=transfer.refine,
        max_extend=transfer.max_extend,
        tolerance_rel=tolerance_rel,
    )


def _fits_at_search(study: Study, decisions: Decisions, table: pd.DataFrame) -> list[Fit]:
    """The fitted μP slices at the search, those with a noise of their own."""
    if CENTRE not in decisions or table.empty:
        return []
    plans = slices.ladder(study, decisions[CENTRE]["centre"])
    found = fit_slices([p.read(study, table) for p in plans if gives_transferred(study, p)])
    return [fit for fit in found if fit.ok and not fit.from_residuals]


def _tolerance_rel(study: Study, fits: list[Fit]) -> float | None:
    tolerance = study.target.tolerance
    if tolerance.kind == "rel_loss":
        return tolerance.value
    if tolerance.kind == "abs_loss" and fits:
        return tolerance.value / abs(min(float(fit.means.min()) for fit in fits))
    return None


def _measured(fits: list[Fit], tolerance_rel: float) -> Assumption | None:
    """Noise and curve of the slices at the search; None where no curve has a minimum."""
    noises, gains = [], []
    for fit in fits:
        best = abs(float(fit.means.min()))
        noises.append(fit.noise_var / best**2)
        lowest = lowest_point(fit)
        if lowest is not None:
            low, middle, high = fit.value(lowest + np.array([-1.0, 0.0, 1.0]))
            gains.append(((low + high) / 2 - middle) / best)
    # An HP whose curve is flat within the tolerance does not keep a set from a PASS.
    steep = [gain for gain in gains if gain > tolerance_rel]
    if not steep:
        return None
    return Assumption(
        noise_rel=float(np.mean(noises)) ** 0.5,
        gain_rel=float(min(steep)),
        source="measured in the slices at the search",
    )


def _assumed(assume: Assume | None) -> Assumption:
    given = assume or Assume()
    return Assumption(
        noise_rel=given.noise_rel,
        gain_rel=given.gain_rel,
        source="assumed (`assume:`)" if assume else "assumed, as in our dense sweeps",
    )
