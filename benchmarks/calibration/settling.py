"""Planted studies that are settled: look, run what is proposed, look again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from benchmarks.calibration import score
from benchmarks.calibration.settings import Trial
from benchmarks.calibration.truth import Setting, draw, levels, optima

from mutransfer.analysis.fit.curve import fits
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import judge_hp
from mutransfer.analysis.verdict.proposals import Proposal, proposals
from mutransfer.analysis.verdict.question import TransferQuestion

# Looks after the first; a user's patience.
LOOKS = 3
NO_TABLE = pd.DataFrame({"width": [], "status": [], "flops": []})


@dataclass
class Planted:
    """A study under way: its two slices, their optima, the carried value, the seeds' levels."""

    search: Slice
    target: Slice
    optima: tuple[float, float]
    carried: float
    levels: dict[int, float]
    rng: np.random.Generator
    word: str = "INCONCLUSIVE"


def words(trial: Trial, spends: bool, seeds: Sequence[int]) -> list[tuple[str, ...]]:
    """The verdict of each look of each draw, until it is no longer INCONCLUSIVE.

    Args:
        trial: What is planted.
        spends: Each look has a level of its own, as shipped; else all have the first one's.
        seeds: One a draw.
    """
    setting = trial.setting
    studies = [_planted(trial, seed) for seed in seeds]
    told: list[list[str]] = [[] for _ in studies]
    for look in range(LOOKS + 1):
        which = [i for i, s in enumerate(studies) if s.word == "INCONCLUSIVE"]
        some = [studies[i] for i in which]
        search = fits([s.search for s in some], spacing_log2=setting.spacing)
        target = fits([s.target for s in some], spacing_log2=setting.spacing)
        for i, study, a, b in zip(which, some, search, target, strict=True):
            question = score.question(a, b, study.carried, setting, n_interim=look if spends else 0)
            evidence = Fits(hp="lr", ladder={("mup", score.SEARCH_WIDTH): a}, target=b)
            study.word = score.word_of(evidence, question)
            told[i].append(study.word)
            if study.word == "INCONCLUSIVE" and look < LOOKS:
                _settle(study, setting, evidence, question)
    return [tuple(w) for w in told]


def _planted(trial: Trial, seed: int) -> Planted:
    rng, setting = np.random.default_rng(seed), trial.setting
    level = levels(setting, rng)
    x = float(optima(replace(setting, widths=1), rng)[0])
    search = draw(setting, x, level, rng, width=score.SEARCH_WIDTH)
    carried = score.carried(search, setting) if trial.searched else x
    there = x - (score.offset(setting, trial) if trial.regret else 0.0)
    target = draw(setting, there, level, rng, width=score.TARGET_WIDTH, extra=carried)
    known = dict(zip(target.seeds, map(float, level), strict=True))
    return Planted(search, target, (x, there), carried, known, rng)


def _settle(study: Planted, setting: Setting, evidence: Fits, question: TransferQuestion) -> None:
    """Run all that is proposed."""
    entry = judge_hp(evidence, question)
    for proposal in proposals(NO_TABLE, [entry], {"lr": evidence}, question):
        if proposal.at_target:
            study.target = _extended(study, study.target, study.optima[1], setting, proposal)
        else:
            study.search = _extended(study, study.search, study.optima[0], setting, proposal)


def _extended(
    study: Planted, slice_: Slice, log2_opt: float, setting: Setting, proposal: Proposal
) -> Slice:
    """The slice with the proposal's values and seeds, the missing cells drawn."""
    for seed in set(proposal.seeds) - set(study.levels):
        study.levels[seed] = float(study.rng.normal(0, setting.levels * setting.sd))
    x = np.union1d(slice_.log2_x, np.round(proposal.log2_x, 5))
    seeds = tuple(sorted({*slice_.seeds, *proposal.seeds}))
    u = x - log2_opt
    noise = study.rng.normal(0, 1, (x.size, len(seeds))) * setting.each_sd(u)[:, None]
    loss = setting.loss(u)[:, None] + [study.levels[s] for s in seeds] + noise
    old = np.ix_(np.searchsorted(x, slice_.log2_x), [seeds.index(s) for s in slice_.seeds])
    loss[old] = slice_.loss
    loss[u >= setting.wall] = np.nan
    return replace(slice_, log2_x=x, loss=loss, seeds=seeds, diverged=u >= setting.wall)
