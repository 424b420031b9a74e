"""The command `plan`: trials, FLOPs and hours before anything runs."""

import json

from tests.sweep.command_line import call
from tests.sweep.conftest import write_spec
from tests.sweep.data_studies import LATENTS, shards, tiny_with


def test_plan_counts_trials_flops_and_the_share_of_a_target_run(tiny_spec):
    plan = json.loads(call(tiny_spec.parent, "plan", "tiny", "--json").stdout)
    by_stage = {stage["stage"]: stage["n_trials"] for stage in plan["stages"]}
    assert by_stage == {"search": 4, "slices": 3 * 2 * 3, "set": 4, "target": 6}
    assert plan["share_of_one_target_run"] == plan["flops"] / plan["target_run_flops"]
    assert plan["train_s"] > 0


def test_latents_can_be_checked_and_planned_before_they_exist(tmp_path):
    write_spec(tmp_path, tiny_with(LATENTS))
    assert call(tmp_path, "check").returncode == 0
    planned = json.loads(call(tmp_path, "plan", "tiny", "--json").stdout)
    assert planned["flops"] > 0 and planned["speed_source"] is None
    refused = call(tmp_path, "run", "tiny", "--inline")
    assert refused.returncode == 2 and "safetensors shards" in refused.stderr
    assert "Traceback" not in refused.stderr and not (tmp_path / "runs").exists()
    shards(tmp_path)
    timed = json.loads(call(tmp_path, "plan", "tiny", "--json").stdout)
    assert timed["train_s"] > 0 and timed["flops"] == planned["flops"]


def test_the_hours_are_those_of_a_measured_speed_and_its_source_is_named(ran, tiny_spec):
    measured = call(ran, "plan", "tiny", "--no-time").stdout
    assert "Times: measured in this run." in measured and "–" not in measured
    unmeasured = call(tiny_spec.parent, "plan", "tiny", "--no-time").stdout
    assert "No times: no speed was measured." in unmeasured and "–" in unmeasured
