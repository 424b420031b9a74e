"""Planted studies with interim analyses: analyze, run the proposed trials, analyze again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from benchmarks.calibration import score
from benchmarks.calibration.settings import VerdictCase
from benchmarks.calibration.truth import Setting, draw, optima, seed_effects

from mutransfer.analysis.fit.curve import fit_slices
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import judge_hp
from mutransfer.analysis.verdict.proposals import Proposal, proposals
from mutransfer.analysis.verdict.question import TransferQuestion

# Analyses after the first; a guess of a user's patience.
N_FURTHER = 3
NO_TABLE = pd.DataFrame({"width": [], "status": [], "flops": []})


@dataclass
class Planted:
    """A study in progress: its two slices, their optima, the transferred value, seed effects."""

    search: Slice
    target: Slice
    optima: tuple[float, float]
    carried: float
    seed_effects: dict[int, float]
    rng: np.random.Generator
    word: str = "INCONCLUSIVE"


def verdict_words(case: VerdictCase, spends: bool, seeds: Sequence[int]) -> list[tuple[str, ...]]:
    """The verdicts of the analyses of each draw, until one is not INCONCLUSIVE.

    Args:
        case: The planted case.
        spends: Each analysis has a higher confidence level than the one before, as shipped; else
            all have that of the first.
        seeds: One for each draw.
    """
    setting = case.setting
    studies = [_planted(case, seed) for seed in seeds]
    verdicts: list[list[str]] = [[] for _ in studies]
    for n_interim in range(N_FURTHER + 1):
        which = [i for i, s in enumerate(studies) if s.word == "INCONCLUSIVE"]
        some = [studies[i] for i in which]
        search = fit_slices([s.search for s in some], spacing_log2=setting.spacing)
        target = fit_slices([s.target for s in some], spacing_log2=setting.spacing)
        for i, study, a, b in zip(which, some, search, target, strict=True):
            question = score.question(
                a, b, study.carried, setting, n_interim=n_interim if spends else 0
            )
            fits = Fits(hp="lr", ladder={("mup", score.SEARCH_WIDTH): a}, target=b)
            study.word = score.word_of(fits, question)
            verdicts[i].append(study.word)
            if study.word == "INCONCLUSIVE" and n_interim < N_FURTHER:
                _settle(study, setting, fits, question)
    return [tuple(w) for w in verdicts]


def _planted(case: VerdictCase, seed: int) -> Planted:
    rng, setting = np.random.default_rng(seed), case.setting
    effects = seed_effects(setting, rng)
    x = float(optima(replace(setting, widths=1), rng)[0])
    search = draw(setting, x, effects, rng, width=score.SEARCH_WIDTH)
    carried = score.carried(search, setting) if case.searched else x
    target_opt = x - (score.offset(setting, case) if case.regret else 0.0)
    target = draw(setting, target_opt, effects, rng, width=score.TARGET_WIDTH, extra=carried)
    effect_of = dict(zip(target.seeds, map(float, effects), strict=True))
    return Planted(search, target, (x, target_opt), carried, effect_of, rng)


def _settle(study: Planted, setting: Setting, fits: Fits, question: TransferQuestion) -> None:
    """Run all proposed trials."""
    entry = judge_hp(fits, question)
    for proposal in proposals(NO_TABLE, [entry], {"lr": fits}, question):
        if proposal.at_target:
            study.target = _extended(study, study.target, study.optima[1], setting, proposal)
        else:
            study.search = _extended(study, study.search, study.optima[0], setting, proposal)


def _extended(
    study: Planted, slice_: Slice, log2_opt: float, setting: Setting, proposal: Proposal
) -> Slice:
    """The slice with the values and seeds of a proposal; the missing cells are drawn."""
    for seed in set(proposal.seeds) - set(study.seed_effects):
        study.seed_effects[seed] = float(study.rng.normal(0, setting.seed_effects * setting.sd))
    x = np.union1d(slice_.log2_x, np.round(proposal.log2_x, 5))
    seeds = tuple(sorted({*slice_.seeds, *proposal.seeds}))
    u = x - log2_opt
    noise = study.rng.normal(0, 1, (x.size, len(seeds))) * setting.each_sd(u)[:, None]
    loss = setting.loss(u)[:, None] + [study.seed_effects[s] for s in seeds] + noise
    old = np.ix_(np.searchsorted(x, slice_.log2_x), [seeds.index(s) for s in slice_.seeds])
    loss[old] = slice_.loss
    loss[u >= setting.diverges_from] = np.nan
    return replace(slice_, log2_x=x, loss=loss, seeds=seeds, diverged=u >= setting.diverges_from)
