"""The conditions of a PASS: each can fail alone, and together they agree with the word."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mutransfer.analysis.verdict.causes import causes_of
from mutransfer.analysis.verdict.conditions import conditions_of
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import hp_word
from mutransfer.analysis.verdict.hp_figures import HPFigures, hp_figures
from tests.analysis import planted
from tests.analysis.planted import Law
from tests.analysis.verdict.tables import diverging_at, lr_question


def figures_of(fits: dict[str, Fits]) -> HPFigures:
    """The figures of lr in the planted study: a PASS."""
    return hp_figures(fits["lr"], planted.question())


def failed(figures: HPFigures) -> str:
    """The letters of the conditions that do not hold."""
    return "".join(c.name for c in conditions_of(figures) if not c.holds)


def one_seed(figures: HPFigures) -> HPFigures:
    """The figures with the first seed alone at the target."""
    slice_ = figures.target.slice
    slice_ = replace(slice_, loss=slice_.loss[:, :1], seeds=slice_.seeds[:1])
    return replace(figures, target=replace(figures.target, slice=slice_))


@pytest.mark.parametrize(
    ("letters", "change"),
    [
        ("a", lambda f: replace(f, tolerance_loss=f.regret.upper)),
        ("b", lambda f: replace(f, search_opt=replace(f.search_opt, bracketed=False))),
        ("b", lambda f: replace(f, target_opt=replace(f.target_opt, bracketed=False))),
        ("c", lambda f: replace(f, sensitivity=replace(f.sensitivity, sensitive=False))),
        ("d", lambda f: diverging_at(f, -8.0)),
        ("e", one_seed),
        ("e", lambda f: replace(f, target_opt=replace(f.target_opt, n_values=3))),
        ("ae", lambda f: replace(f, target_index=None, regret=None)),
    ],
)
def test_a_condition_fails_alone_and_with_a_cause(
    fits: dict[str, Fits], letters: str, change: Callable
) -> None:
    figures = figures_of(fits)
    assert failed(figures) == "" and causes_of(figures, planted.question()) == ()
    changed = change(figures)
    assert failed(changed) == letters
    assert len(causes_of(changed, planted.question())) == 1


def test_all_conditions_hold_exactly_where_the_word_is_pass() -> None:
    laws = [
        *(Law(target_shift=shift, noise_sd=0.001) for shift in (0.0, -0.6, -1.5)),
        Law(noise_sd=0.02),
        *(Law(diverged_from={planted.TARGET: x}) for x in (-9.0, -8.0, -6.0)),
        Law(lr_curvature=0.0),
    ]
    answers = set()
    for law in laws:
        fits = planted.evidence(law, seed=0)
        holds = failed(hp_figures(fits, lr_question())) == ""
        answers.add((holds, hp_word(fits, lr_question()).word))
    assert answers == {(True, "PASS"), (False, "INCONCLUSIVE"), (False, "FAIL")}
