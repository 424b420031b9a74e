"""The command `plan`: trials, FLOPs and hours before anything runs."""

import json

import pytest

from tests.sweep.command_line import call
from tests.sweep.conftest import STAR, TINY, write_spec
from tests.sweep.data_studies import LATENTS, shards, tiny_with


def test_plan_counts_trials_flops_and_the_share_of_a_target_run(tiny_spec):
    plan = json.loads(call(tiny_spec.parent, "plan", "tiny", "--no-power", "--json").stdout)
    by_stage = {stage["stage"]: stage["n_trials"] for stage in plan["stages"]}
    assert by_stage == {"search": 4, "slices": 3 * 2 * 3, "set": 4, "target": 6}
    cost = plan["cost"]
    assert cost["target_runs"] == cost["flops"] / cost["target_flops"]
    assert cost["flops"] == pytest.approx(sum(stage["flops"] for stage in plan["stages"]))
    assert {s: a["n_trials"] for s, a in cost["by_stage"].items()} == by_stage
    assert cost["share_of_production"] is None and plan["train_s"] > 0


def test_the_whole_cost_stands_beside_production_and_tuning_at_the_target(tmp_path):
    production = "    production: {width: 64, steps: 600, batch_size: 32}\n"
    write_spec(tmp_path, TINY.rstrip() + "\n" + production)
    cost = json.loads(call(tmp_path, "plan", "tiny", "--no-time", "--no-power", "--json").stdout)[
        "cost"
    ]
    assert cost["share_of_production"] == cost["flops"] / cost["production_flops"]
    assert cost["tuning_at_target"]["target_runs"] == 4
    text = call(tmp_path, "plan", "tiny", "--no-time", "--no-power").stdout
    assert f"All trials will cost about {cost['target_runs']:.3g} target runs (" in text
    assert f"({100 * cost['share_of_production']:.3g} % of the production run)" in text
    assert "Tuning at the target instead costs 4 target runs" in text
    assert "names no production run" not in text
    write_spec(tmp_path)  # the control
    text = call(tmp_path, "plan", "tiny", "--no-time", "--no-power").stdout
    assert "names no production run" in text and "of the production run" not in text


def test_latents_can_be_checked_and_planned_before_they_exist(tmp_path):
    write_spec(tmp_path, tiny_with(LATENTS))
    assert call(tmp_path, "check").returncode == 0
    planned = json.loads(call(tmp_path, "plan", "tiny", "--no-power", "--json").stdout)
    assert planned["cost"]["flops"] > 0 and planned["speed_source"] is None
    refused = call(tmp_path, "run", "tiny", "--inline")
    assert refused.returncode == 2 and "safetensors shards" in refused.stderr
    assert "Traceback" not in refused.stderr and not (tmp_path / "runs").exists()
    shards(tmp_path)
    timed = json.loads(call(tmp_path, "plan", "tiny", "--no-power", "--json").stdout)
    assert timed["train_s"] > 0 and timed["cost"] == planned["cost"]


def test_the_hours_are_those_of_a_measured_speed_and_its_source_is_named(ran, tiny_spec):
    measured = call(ran, "plan", "tiny", "--no-time", "--no-power").stdout
    unmeasured = call(tiny_spec.parent, "plan", "tiny", "--no-time", "--no-power").stdout
    assert "Times: one slot, measured in this run." in measured
    times = [[line.split()[-1] for line in t.splitlines()[2:6]] for t in (measured, unmeasured)]
    assert "–" not in times[0] and set(times[1]) == {"–"}
    assert "No times: no speed was measured." in unmeasured


def test_a_hopeless_study_is_warned_of_with_what_it_assumes_and_what_helps(tmp_path):
    write_spec(tmp_path, TINY.rstrip() + "\n    assume: {noise_rel: 0.2}\n")
    hopeless = call(tmp_path, "check", "tiny").stderr
    assert "chance of PASS of 0 % where the set loses nothing" in hopeless
    assert "noise of one run 20 % of the loss" in hopeless and "`spacing_log2`" in hopeless
    assert "Power" not in call(tmp_path, "check").stderr  # of all studies it would take long


@pytest.mark.slow
def test_the_power_is_that_of_the_noise_that_is_assumed_or_measured(tmp_path, ran):
    write_spec(tmp_path, TINY.rstrip() + "\n    assume: {noise_rel: 0.0001, gain_rel: 0.02}\n")
    chances = json.loads(call(tmp_path, "plan", "tiny", "--no-time", "--json").stdout)["power"]
    assert chances["noise_rel"] == 1e-4 and chances["source"] == "assumed (`assume:`)"
    assert 0 <= chances["pass_at_half"] <= chances["pass_at_0"] <= 1
    chances = json.loads(call(ran, "plan", "tiny", "--no-time", "--json").stdout)["power"]
    assert "measured in the slices at the search" in chances["source"]
    assert 0 < chances["noise_rel"] != 0.01


def test_the_cost_of_a_star_is_told_with_all_looks_and_with_the_least(tmp_path):
    words = ("plan", "tiny", "--no-time", "--no-power")
    write_spec(tmp_path, STAR)
    planned = json.loads(call(tmp_path, *words, "--json").stdout)
    most, least = ({s: a["n_trials"] for s, a in planned[key]["by_stage"].items()}
                   for key in ("cost", "cost_least"))  # fmt: skip
    assert (most["set"] + most["target"], least["set"] + least["target"]) == (10 + 2, 3 + 2)
    assert planned["cost"]["target_runs"] - planned["cost_least"]["target_runs"] == 7
    text = call(tmp_path, *words).stdout
    assert "a star: 3 runs at first, or 5 where the ladder is noisy, and 10 at most" in text
    runs = planned["cost_least"]["target_runs"]
    assert f"Where the first look decides, all trials cost {runs:.3g} target runs" in text
    write_spec(tmp_path)  # the control
    planned = json.loads(call(tmp_path, *words, "--json").stdout)
    assert planned["cost"] == planned["cost_least"]
    assert "star" not in call(tmp_path, *words).stdout
