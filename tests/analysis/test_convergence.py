"""Steps to a loss, from curves of a planted law."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.convergence import convergence_info, convergence_plot
from mutransfer.analysis.reporting import convergence
from mutransfer.analysis.table.table import from_rows
from mutransfer.analysis.transfer.isotonic import monotone, reached
from mutransfer.analysis.transfer.speed_up import Comparison, Run, converge, speed_up

STEPS = np.arange(50.0, 1001.0, 50.0)


def curve(speed: float, noise: float = 0.0, rng: np.random.Generator | None = None) -> np.ndarray:
    """Loss 0.4 + 3/√(speed · step): an arm that is ``speed`` times as fast at every loss."""
    clean = 0.4 + 3 * (speed * STEPS) ** -0.5
    return clean if rng is None else clean + noise * rng.standard_normal(len(STEPS))


def run(seed: int, losses: np.ndarray, status: str = "done") -> Run:
    return Run(seed=seed, status=status, steps=STEPS, losses=losses, flops_per_step=2.0)


def compare(sp: list[Run], mup: list[Run]):
    return speed_up(sp, mup, baseline="default", lr=2**-10)


def draws(speed: float, noise: float, n: int, n_seeds: int = 3):
    """Results of ``n`` studies in which seeds share a level, and each run has its own speed."""
    rng = np.random.default_rng(round(1e4 * speed + 1e6 * noise))
    for _ in range(n):
        shared = 0.15 * rng.standard_normal(n_seeds)
        own = 0.1 * rng.standard_normal((2, n_seeds))
        sp, mup = (
            [run(i, curve(v * 2 ** (shared[i] + own[k, i]), noise, rng)) for i in range(n_seeds)]
            for k, v in enumerate((1.0, speed))
        )
        yield compare(sp, mup)


@pytest.mark.parametrize("speed", [1.5, 2.9])
def test_a_known_ratio_is_recovered(speed):
    found = compare([run(1, curve(1))], [run(1, curve(speed))])
    assert found.kind == "measured"
    assert found.ratio == pytest.approx(speed, rel=0.01)
    assert found.low is None  # one seed has no interval


@pytest.mark.parametrize("noise", [0.0, 0.004])
@pytest.mark.parametrize("speed", [1.5, 2.9])
def test_the_interval_holds_the_known_ratio(speed, noise):
    every = list(draws(speed, noise, 300))
    measured = [f for f in every if f.kind == "measured"]
    held = [f.low <= speed <= f.high for f in measured]
    assert len(measured) > 280 and np.mean(held) > 0.92
    # Not by being endless: a ratio twice as large is held seldom.
    assert np.mean([f.low <= 2 * speed <= f.high for f in measured]) < 0.25


def test_noise_makes_the_ratio_smaller_not_larger():
    for noise in (0.004, 0.01):
        found = [f.ratio for f in draws(2.0, noise, 200) if f.kind == "measured"]
        assert 1.6 < np.exp(np.mean(np.log(found))) < 2.02


def test_touching_a_loss_is_not_reaching_it():
    """The rule's control: the first touch of a jittering curve comes far too early."""
    rng = np.random.default_rng(0)
    target, touched, ours = curve(1)[-1], [], []
    for _ in range(200):
        noisy = curve(1.5, 0.02, rng)
        touched.append(STEPS[np.argmax(noisy <= target)])
        ours.append(reached(*monotone(STEPS, noisy), target) or 1000)
    truth = 1000 / 1.5
    assert np.mean(touched) < 0.85 * truth
    assert np.mean(ours) == pytest.approx(truth, rel=0.1)


def test_equal_arms_have_ratio_one():
    rng = np.random.default_rng(3)
    same = [run(i, curve(1, 0.01, rng)) for i in range(3)]
    found = compare(same, same)
    assert (found.kind, found.ratio) == ("measured", pytest.approx(1.0))
    assert found.difference == 0


def test_arms_of_equal_law_are_not_told_apart():
    held = [
        (f.low <= 1 <= f.high) if f.kind == "measured" else f.below >= 1
        for f in draws(1.0, 0.004, 300)
    ]
    assert np.mean(held) > 0.93


def test_a_slower_arm_gives_a_bound_and_no_number():
    every = list(draws(0.6, 0.0, 50))
    assert {f.kind for f in every} == {"bound"}
    assert all(f.ratio is None and f.low is None and f.high is None for f in every)
    assert all(0.6 <= f.below <= 1.0 for f in every)
    assert {f.below_level for f in every} == {1 - 2**-3}  # three seeds of three, a sign test
    assert all(f.difference > 0 for f in every)


def test_one_seed_that_does_not_get_there_forbids_a_number():
    sp = [run(i, curve(1)) for i in range(3)]
    mup = [run(0, curve(2)), run(1, curve(2.1)), run(2, curve(0.5))]
    found = compare(sp, mup)
    assert (found.kind, found.n_unreached, found.ratio) == ("bound", 1, None)
    # What the true mean cannot exceed, although the third seed counts as if it got there.
    assert found.below > (2 * 2.1 * 1.0) ** (1 / 3) and found.below_level == 0.95
    assert compare(sp[:2], mup[:2]).kind == "measured"


def test_a_diverged_mup_run_never_gets_there_and_a_diverged_sp_run_leaves_nothing_to_reach():
    short = dataclasses.replace(run(1, curve(3)), status="diverged")
    short = dataclasses.replace(short, steps=STEPS[:2], losses=short.losses[:2])
    sp, mup = [run(0, curve(1)), run(1, curve(1))], [run(0, curve(2)), short]
    assert compare(sp, mup).n_unreached == 1
    dead = compare([sp[0], dataclasses.replace(short)], mup)
    assert (dead.kind, dead.ratio, dead.below) == ("none", None, None)
    assert "SP diverged with 1 of 2 seeds" in dead.reason


def test_a_run_that_diverged_before_its_first_validation_never_gets_there():
    nothing = Run(seed=1, status="diverged", steps=STEPS[:0], losses=STEPS[:0], flops_per_step=None)
    found = compare([run(0, curve(1)), run(1, curve(1))], [run(0, curve(2)), nothing])
    assert (found.kind, found.n_unreached, len(found.pairs)) == ("bound", 1, 2)


def test_a_failed_or_absent_run_is_left_out_and_counted():
    sp = [run(i, curve(1)) for i in range(3)]
    found = compare(sp, [run(0, curve(2)), run(1, curve(2)), run(2, curve(9), status="failed")])
    assert (found.kind, len(found.pairs)) == ("measured", 2)
    assert compare(sp, []).kind == "none"


def test_flops_follow_the_cost_of_a_step():
    mup = [dataclasses.replace(run(0, curve(2)), flops_per_step=4.0)]
    assert compare([run(0, curve(1))], mup).flops_factor == 0.5
    assert compare([run(0, curve(1))], [run(0, curve(2))]).flops_factor == 1.0


def test_a_curve_made_monotone_keeps_falling_points_and_pools_the_others():
    steps = np.array([1.0, 2.0, 4.0, 8.0])
    x, y = monotone(steps, np.array([4.0, 3.0, 2.0, 1.0]))
    assert (x.tolist(), y.tolist()) == ([0, 1, 2, 3], [4, 3, 2, 1])
    x, y = monotone(steps, np.array([4.0, 1.0, 3.0, 1.5]))
    assert (x.tolist(), y.tolist()) == ([0, 1.5, 3], [4, 2, 1.5])
    assert reached(x, y, 3.0) == pytest.approx(2**0.75)
    assert reached(x, y, 1.4) is None


# From table and curves -----------------------------------------------------------------------

HPS = {"lr": 2**-6, "init_std": 1.0}
ASKED = Comparison(
    width=128,
    seeds=(1, 2),
    steps=1000,
    n_val=20,
    is_annealed=False,
    mup=HPS,
    sp_default=HPS | {"lr": 2**-10},
    sp_tuned=HPS | {"lr": 2**-8},
)


def row(arm: str, lr: float, seed: int, **more) -> dict:
    name = f"{arm}-{lr}-{seed}-{more.get('n_val', 20)}-{more.get('width', 128)}"
    return {
        "schema": 1, "trial_id": name, "study": "s", "asked_by": "convergence", "arm": arm,
        "width": 128, "base_width": 32, "steps": 1000, "n_val": 20, "seed": seed, "hp.lr": lr,
        "hp.init_std": 1.0, "status": "done", "val_loss": 0.5, "flops": 2000.0,
    } | more  # fmt: skip


def study() -> tuple[pd.DataFrame, pd.DataFrame]:
    speeds = {("mup", 2**-6): 2.0, ("sp", 2**-10): 1.0, ("sp", 2**-8): 1.6}
    rows, points = [], []
    for (arm, lr), speed in speeds.items():
        for seed in (1, 2):
            rows.append(row(arm, lr, seed))
            losses = curve(speed * (1 + 0.01 * seed))
            points += [
                {"trial_id": rows[-1]["trial_id"], "step": s, "val_loss": v}
                for s, v in zip(STEPS.astype(int), losses, strict=True)
            ]
            points.append({"trial_id": rows[-1]["trial_id"], "step": 975, "val_loss": None})
    # The same HPs without a curve, and another width: neither is compared.
    rows += [row("mup", 2**-6, 1, n_val=1), row("mup", 2**-6, 1, width=64)]
    return from_rows(rows), pd.DataFrame(points)


def test_runs_are_found_by_arm_hps_width_seed_and_number_of_validations():
    table, curves = study()
    found = converge(table, curves, ASKED)
    assert [s.kind for s in found.speed_ups] == ["measured", "measured"]
    default, tuned = found.speed_ups
    assert default.ratio == pytest.approx(2.0, rel=0.01)
    assert tuned.ratio == pytest.approx(1.25, rel=0.01)
    assert default.low <= default.ratio <= default.high and default.flops_factor == 1
    told = convergence.told(found)
    assert "2 times fewer steps" in told.sentences[0] and "2 seeds" in told.sentences[0]
    assert len(told.tables[1].rows) == 4


def test_without_a_tuned_lr_or_rows_it_says_so():
    table, curves = study()
    found = converge(table, curves, dataclasses.replace(ASKED, sp_tuned=None, is_annealed=True))
    told = convergence.told(found)
    assert len(found.speed_ups) == 1
    assert any("not chosen" in text for text in told.caveats)
    assert any("annealed" in text for text in told.caveats)
    none = converge(table[table["arm"] == "sp"], curves, ASKED)
    assert [s.kind for s in none.speed_ups] == ["none", "none"]
    assert "is not compared" in convergence.told(none).sentences[0]


def test_a_bound_reads_as_one():
    table, curves = study()
    swapped = table.assign(arm=table["arm"].map({"mup": "sp", "sp": "mup"}))
    asked = dataclasses.replace(ASKED, mup=ASKED.sp_default, sp_default=HPS, sp_tuned=None)
    told = convergence.told(converge(swapped, curves, asked))
    assert "does not reach" in told.sentences[0] and "below" in told.sentences[0]
    assert told.tables[0].rows[0][2].startswith("< ")
    assert all(cells[4].startswith("> 1000") for cells in told.tables[1].rows)


def test_the_figure_shows_each_run_and_each_crossing():
    table, curves = study()
    found = converge(table, curves, ASKED)
    info = convergence_info(table, curves, found)
    assert info is not None and len(info.panels) == 2
    for panel in info.panels:
        assert [line.arm for line in panel.lines] == ["sp", "sp", "mup", "mup"]
        assert all(m.mup_step < m.sp_step for m in panel.marks)
        low, high = info.loss_limits
        assert all(low < m.loss < high for m in panel.marks)
    files = canvas.files({"convergence": convergence_plot(info)})
    assert files == canvas.files({"convergence": convergence_plot(info)})
    assert "reaches" in files["convergence.svg"].decode()
    assert convergence_info(table.iloc[:0], curves, found) is None
