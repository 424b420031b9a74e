"""The calibration plants what it says, counts what it says, and sees an analysis that errs."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.calibration import real
from benchmarks.calibration.bounds import Rate, rates_of
from benchmarks.calibration.ceiling import ceiling, nearest_wrong, power_bound
from benchmarks.calibration.cells import Cell, cells_of
from benchmarks.calibration.draw import (
    DESIGNS,
    DRIFT,
    LOSS,
    TARGET,
    TOLERANCE,
    Case,
    Design,
    Study,
    draw,
)
from benchmarks.calibration.held_out import HELD_OUT
from benchmarks.calibration.noise import DIVERGED_SHARE, KINDS, TILT, Kind, Noise
from benchmarks.calibration.report import badness, report
from benchmarks.calibration.score import Score, fits_of, holds_optimum, judged
from benchmarks.calibration.shapes import CEILING, PLANTED, Shape, centred
from scipy import special
from scipy.optimize import brentq

from mutransfer.analysis.fit.shapes import library

BY_NAME = {shape.name: shape for shape in PLANTED}
BY_DESIGN = {design.name: design for design in DESIGNS}
VALLEY = BY_NAME["valley"]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("shape", [*PLANTED, *HELD_OUT], ids=lambda s: s.name)
def test_a_shape_is_0_at_its_minimum_and_has_its_regrets_where_it_says(shape: Shape) -> None:
    f = shape(np.linspace(-8, 8, 16_001))
    assert shape(np.zeros(1))[0] == pytest.approx(0, abs=1e-9)
    assert f.min() >= -1e-6 and f.max() <= CEILING
    for regret, side in product((0.5, 1.0, 1.5), (1, -1)):
        place = shape.place(regret, side)
        if place is None:
            assert (shape.name, side) == ("straight, cliff", 1)
        else:
            assert shape(np.array([place]))[0] == pytest.approx(regret, abs=0.01)
            assert np.sign(place) == side and shape(np.array([0.9 * place]))[0] < regret


def test_a_curve_is_moved_to_its_minimum() -> None:
    def curve(u: np.ndarray) -> np.ndarray:
        return (u - 0.3) ** 2 + 2

    assert curve(np.zeros(1))[0] > 2.05
    assert centred(curve)(np.array([0.0, 1.0])) == pytest.approx([0, 1], abs=1e-5)


def _noise(kind: Kind, u: np.ndarray, n: int = 4000) -> np.ndarray:
    """Noise without the main effects of the seeds, (n, P), one seed a study."""
    drawn = []
    for i in range(n):
        noise = Noise(kind, 1, np.random.default_rng(i))
        drawn.append(noise.draw(u, noise.width_slopes())[:, 0] - noise.effects)
    return np.array(drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_has_the_size_of_its_kind(kind: Kind) -> None:
    low, middle, high = np.nanstd(_noise(kind, np.array([-2.0, 0.0, 2.0])), axis=0)
    rest = np.sqrt(1 - TILT**2)
    at_middle = {"slopes shared": rest, "slopes own": rest, "outliers": np.hypot(1, 6 * 0.17)}
    # The variance of a t3 has no variance of its own, and few runs are outliers.
    near = {"t3": 0.2, "outliers": 0.1}.get(kind, 0.05)
    assert middle == pytest.approx(at_middle.get(kind, 1.0), rel=near)
    ratio = {"growing": 2.0}.get(kind, 1.0)
    if kind.startswith("slopes"):
        assert low == pytest.approx(high, rel=0.05) and high > 1.4 * middle
    else:
        assert (
            high
            == pytest.approx(ratio * middle, rel=near)
            == pytest.approx(ratio**2 * low, rel=2 * near)
        )


def test_slopes_are_shared_by_the_widths_or_not() -> None:
    def twice(kind: Kind) -> tuple[np.ndarray, np.ndarray]:
        noise = Noise(kind, 2, np.random.default_rng(0))
        return noise.width_slopes(), noise.width_slopes()

    shared, own, none = map(twice, ("slopes shared", "slopes own", "normal"))
    assert (shared[0] == shared[1]).all() and shared[0].all()
    assert (own[0] != own[1]).all() and not np.any(none)


def test_runs_diverge_more_often_at_larger_values_and_only_where_asked() -> None:
    gone = np.isnan(_noise("random divergence", np.array([-2.0, 0.0, 2.0]))).mean(axis=0)
    assert gone == pytest.approx(DIVERGED_SHARE * np.array([0.5, 1, 2]), rel=0.2)
    assert not np.isnan(_noise("normal", np.zeros(1))).any()


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: d.name)
def test_a_study_is_what_its_design_and_its_truth_say(design: Design) -> None:
    study = draw(VALLEY, "normal", 1e-9, design, np.random.default_rng(1))
    assert [s.axis_value for s in study.ladder] == [32, 64, 128]
    assert np.diff(study.optima) == pytest.approx([study.drift] * 3)
    assert abs(study.drift) == DRIFT
    for slice_, optimum in zip([*study.ladder, study.targets[0]], study.optima, strict=True):
        assert slice_.loss.shape == (design.values + (slice_.axis_value == TARGET), design.seeds)
        planted = LOSS + TOLERANCE * VALLEY(slice_.log2_x - optimum)
        assert slice_.loss.mean(axis=1) == pytest.approx(planted, abs=1e-8)
        assert slice_.log2_x[1] < optimum < slice_.log2_x[-2]
    for slice_, x, (regret, side) in zip(
        study.targets, study.transferred, study.cases, strict=True
    ):
        assert slice_.index(x) is not None
        loss = slice_.loss[slice_.index(x)].mean()
        assert loss == pytest.approx(LOSS + TOLERANCE * regret, abs=1e-5)
        assert regret == 0 or np.sign(x - study.optima[-1]) == side


def test_a_refined_design_costs_as_much_and_has_values_beside_the_best() -> None:
    plain, refined = BY_DESIGN["3x7"], BY_DESIGN["3x7 refined"]
    for i in range(20):
        slices = [
            draw(VALLEY, "normal", 0.1, d, np.random.default_rng(i)).ladder[-1]
            for d in (plain, refined)
        ]
        assert slices[0].loss.size == slices[1].loss.size
        gaps = []
        for slice_ in slices:
            best = slice_.loss.mean(axis=1).argmin()
            gaps.append(np.abs(np.delete(slice_.log2_x, best) - slice_.log2_x[best]).min())
        assert gaps == [1.0, 0.25]


def test_draws_repeat_and_differ() -> None:
    one, again, other = (
        draw(VALLEY, "t3", 0.4, DESIGNS[0], np.random.default_rng(i)).targets[0].loss
        for i in (0, 0, 1)
    )
    assert (one == again).all() and not np.isclose(one, other).any()


def test_every_kind_of_noise_meets_every_level_and_every_design() -> None:
    cells = cells_of("planted", PLANTED)
    assert len({cell.name for cell in cells}) == len(cells)
    for kind in KINDS:
        of_kind = [cell for cell in cells if cell.kind == kind]
        assert {cell.shape.name for cell in of_kind} == set(BY_NAME)
        assert len({cell.level for cell in of_kind}) == len({c.design.name for c in of_kind}) == 4
    assert len(cells_of("planted", PLANTED, full=True)) == len(PLANTED) * len(KINDS) * 16


def test_a_shape_of_the_library_with_that_regret_is_at_no_distance() -> None:
    """A V is in the library; where its own minimum is the transferred value, it is at some."""
    u, steep = np.arange(-2.0, 3.0) - 0.3, BY_NAME["V 0.8 : 1.6"]
    at_optimum = _squared_distance(u, steep(u))
    wrong = u + steep.place(1.2, 1)
    assert _squared_distance(u, steep(wrong)) < 0.02 * at_optimum
    assert at_optimum > 0.2


def test_the_nearest_wrong_shape_is_as_near_as_a_search_finds() -> None:
    """Over a fine grid of both sizes and of the place, in some pairs: none is nearer."""
    shapes, u = library(), np.arange(-2.0, 3.0) - 0.3
    y, found = VALLEY(u), []
    for pair in range(0, shapes.left.size, 9):
        for x in np.arange(-1.2, 1.2, 0.04):
            left, right, left_at_0, right_at_0 = (
                shapes.at(side[pair], sign * (v - x))
                for v in (u, np.zeros(1))
                for side, sign in ((shapes.left, -1), (shapes.right, 1))
            )
            a = np.geomspace(0.3, 30, 50)[:, None, None]
            b = a * np.linspace(shapes.least[pair], shapes.greatest[pair], 12)[:, None]
            off = y - a * left - b * right
            off = ((off - off.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
            wrong = (a * left_at_0 + b * right_at_0)[..., 0] >= 1
            found.append(off[wrong].min(initial=np.inf))
    assert 0.5 * min(found) < _squared_distance(u, y) < 1.02 * min(found)


def _squared_distance(u: np.ndarray, y: np.ndarray) -> float:
    return float((nearest_wrong(u, y) ** 2).sum(axis=1).min())


def _curve(distance: float) -> np.ndarray:
    return distance / 2**0.5 * np.array([1.0, -1.0, 0.0, 0.0])


@pytest.mark.parametrize("distance", [0.5, 1.5, 3.0])
def test_against_one_curve_and_known_noise_the_bound_is_neyman_and_pearsons(
    distance: float,
) -> None:
    assert power_bound(_curve(distance)[None], 10**6) == pytest.approx(
        special.ndtr(distance - special.ndtri(0.95)), abs=0.01
    )


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.0])
def test_where_the_noise_is_estimated_the_bound_is_between_that_and_students_test(
    distance: float,
) -> None:
    df = 4
    # Two of the three contrasts of four means do not differ and tell of the noise too.
    student = 1 - float(special.nctdtr(df + 2, distance, special.stdtrit(df + 2, 0.95)))
    known = float(special.ndtr(distance - special.ndtri(0.95)))
    assert student - 0.01 < power_bound(_curve(distance)[None], df) < known


def test_two_curves_on_either_side_are_harder_than_one() -> None:
    pair = np.stack([_curve(2.0), _curve(-2.0)])
    # Best is |z| < c with a chance of 5 % on either.
    c = brentq(lambda c: special.ndtr(c - 2) - special.ndtr(-c - 2) - 0.05, 0, 3)
    assert power_bound(pair, 10**6) == pytest.approx(2 * special.ndtr(c) - 1, abs=0.01)


def test_more_noise_lowers_the_ceiling_and_more_seeds_raise_it() -> None:
    few, many = BY_DESIGN["2x5"], BY_DESIGN["3x5"]
    ceilings = [ceiling(VALLEY, level, few) for level in (1e-3, 0.4, 1.0, 1e3)]
    assert ceilings == sorted(ceilings, reverse=True)
    assert ceilings[0] == pytest.approx(1) and ceilings[-1] == pytest.approx(0.05, abs=1e-3)
    assert ceiling(VALLEY, 1.0, many) > ceilings[2] + 0.05


@pytest.mark.parametrize(
    ("low", "high", "held"),
    [
        (-0.1, 0.1, True),
        (None, None, True),
        (0.1, 0.5, True),
        (0.3, 0.5, False),
        (None, -0.3, False),
    ],
)
def test_an_interval_must_hold_a_value_that_is_nearly_the_best(
    low: float | None, high: float | None, held: bool
) -> None:
    # The valley is a tenth of the tolerance above its minimum at 0.16 octaves.
    ends = [None if end is None else end - 7.0 for end in (low, high)]
    assert holds_optimum(*ends, -7.0, VALLEY) is held


def test_a_share_breaks_its_bound_if_its_whole_interval_does() -> None:
    assert Rate("none", 0, 100).interval == (0.0, pytest.approx(0.0362, abs=1e-4))
    fine, perhaps, broken = (Rate("wrong", k, 100, "at most", 0.05) for k in (5, 8, 12))
    assert [r.is_broken for r in (fine, perhaps, broken)] == [False, False, True]
    assert ["?" in r.text for r in (fine, perhaps, broken)] == [False, True, False]
    assert "✗" in broken.text and "✗" not in Rate("wrong", 12, 100).text
    assert Rate("held", 80, 100, "at least", 0.935).is_broken
    assert not Rate("held", 95, 100, "at least", 0.935).excess > 0


def test_of_two_sides_the_worse_counts_and_one_that_is_not_there_does_not() -> None:
    score = Score()
    for side, hits in (("+", 1), ("-", 3)):
        for i in range(10):
            score.count(f"PASS 1 {side}", i < hits)
            if side == "-":
                score.count(f"PASS 1.5 {side}", False)
    by_name = {rate.name: rate for rate in rates_of(score)}
    assert (by_name["PASS at 1"].hits, by_name["PASS at 1"].tried) == (3, 10)
    assert (by_name["PASS at 1.5"].hits, by_name["PASS at 1.5"].tried) == (0, 10)


def test_the_report_has_the_worst_cell_first_and_spares_the_exempt() -> None:
    def of(n_wrong: int) -> Score:
        score = Score()
        for i in range(100):
            score.count("PASS 1 +", i < n_wrong)
        return score

    good, bad = (Cell("Planted", VALLEY, "normal", level, DESIGNS[0]) for level in (0.1, 0.2))
    exempt = Cell("Planted", BY_NAME["narrow double well"], "normal", 0.1, DESIGNS[0])
    scores = {good: of(2), exempt: of(50), bad: of(20)}
    text = report(scores, "head")
    rows = [row for row in text.splitlines() if "/normal/" in row]
    assert bad.name in rows[0] and "20.0 (12.7-29.2) ✗" in rows[0]
    assert not any("✗" in row or "?" in row for row in rows[1:])
    assert badness(exempt, scores[exempt]) == -np.inf < badness(good, scores[good]) < 0


def _words(study: Study, factor: float = 1.0) -> dict[Case, str]:
    """The verdicts of a study, with a tolerance that many times as wide."""
    return {
        case: judged(fits_of(study, i), study.transferred[i], factor * study.tolerances[i])
        for i, case in enumerate(study.cases)
    }


def test_a_clear_regret_is_told_from_none_and_a_wider_tolerance_errs() -> None:
    """At low noise; the control accepts four times the regret."""
    rng = np.random.default_rng(0)
    studies = [draw(VALLEY, "normal", 0.05, BY_DESIGN["3x5"], rng) for _ in range(2)]
    words, wide = ([_words(s, factor) for s in studies] for factor in (1, 4))
    assert [w[0.0, 1] for w in words] == ["PASS"] * 2
    assert "PASS" not in {w[1.5, side] for w in words for side in (1, -1)}
    assert [w[1.5, side] for w in wide for side in (1, -1)].count("PASS") >= 3


def test_a_larger_regret_passes_only_where_a_smaller_one_does() -> None:
    """What saves the scoring of most values: the runs of all of them have the same noise."""
    rng = np.random.default_rng(0)
    studies = [draw(VALLEY, "normal", 1.0, BY_DESIGN["3x5"], rng) for _ in range(3)]
    for words in map(_words, studies):
        for side in (1, -1):
            assert (words[0.5, side] == "PASS") >= (words[1.5, side] == "PASS")
            assert (words[1.0, side] == "FAIL") >= (words[0.5, side] == "FAIL")
    rows = [
        s.targets[i].loss[s.targets[i].index(s.transferred[i])] for s in studies for i in (1, 2)
    ]
    # The same noise: at equal regrets on either side of the minimum the losses are equal.
    assert np.array(rows[::2]) == pytest.approx(np.array(rows[1::2]), abs=1e-6)


def test_a_cell_counts_each_of_its_draws() -> None:
    score = Cell("Planted", VALLEY, "normal", 0.4, DESIGNS[0]).score(range(3))
    assert {score.tried[n] for n in ("PASS 1 -", "PASS 1.5 +", "FAIL 0 +", "FAIL 0.5 -")} == {3}
    assert (score.tried["drift held"], score.tried["optimum held"]) == (3, 12)
    assert rates_of(score)[0].limit == 0.9 * ceiling(VALLEY, 0.4, DESIGNS[0])


def _dense() -> pd.DataFrame:
    """A sweep of parabolas whose minima are at −7 and −7.25, gaining 0.02 an octave."""
    x = np.union1d(np.arange(-9, -4.99, 0.25), np.arange(-11, -2.99, 0.5))
    rows = [(w, v, s) for w in (32, 128) for v in x for s in range(1, 17)]
    df = pd.DataFrame(rows, columns=["width", "log2_lr", "seed"])
    u = df["log2_lr"] + 7 + 0.25 * (df["width"] == 128)
    noise = np.random.default_rng(0).normal(0, 1e-4, len(df))
    df = df.assign(status="done", val_loss=1 + 0.02 * u**2 + noise)
    df.loc[df["log2_lr"] == -3, ["status", "val_loss"]] = ["diverged", np.nan]
    return df


def test_a_resampled_study_has_runs_of_the_sweep_and_its_truth() -> None:
    sweep = real.Sweep.of(_dense())
    study = real.resampled(sweep, 0.005, BY_DESIGN["3x5"], np.random.default_rng(0))
    assert study.optima == [-7.0, -7.25]
    ran = set(sweep.df["val_loss"])
    assert all(set(s.loss.ravel()) <= ran for s in (*study.ladder, *study.targets))
    assert {regret for regret, _ in study.cases} == {0.0, 0.5, 1.0, 1.5}
    cases = zip(study.cases, study.transferred, study.tolerances, study.targets, strict=True)
    for (regret, _), x, tolerance, slice_ in cases:
        assert 0.0025 <= tolerance <= 0.01 and slice_.index(x) is not None
        assert 0.02 * (x + 7.25) ** 2 == pytest.approx(regret * tolerance, abs=3e-4)
    at_wall = study.shapes[0](np.array([4.0]))[0]
    assert at_wall == CEILING > study.shapes[0](np.array([3.0]))[0]


def test_a_regret_that_the_sweep_lacks_is_left_out() -> None:
    x = np.arange(-9.0, -4.0)
    steep = pd.Series(np.where(x > -7, 5.0, 1 + 0.005 * (x + 7) ** 2), index=x)
    cases = real.cases_of(steep, 0.005)
    assert (1.0, -1) in cases and (1.0, 1) not in cases


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.calibration", "--processes", "1", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_writes_the_tables_of_the_cells_that_match(tmp_path: Path) -> None:
    out = tmp_path / "some.md"
    name = "valley/t3/0.1/2x5"
    done = _command("--draws", "2", "--again", "0", "--full", "--cells", name, "--out", str(out))
    assert done.returncode == 0 and "1/1 batches" in done.stderr
    text = out.read_text()
    assert f"| {name} |" in text and "1 cells of 2 draws" in text
    none = _command("--cells", "nothing")
    assert none.returncode == 1 and "'nothing' matches none" in none.stderr
