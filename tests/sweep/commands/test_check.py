"""The command `check`: every fault in one message, or the studies as they are read."""

import json

import torch
from PIL import Image
from safetensors.torch import save_file

from mutransfer.sweep import spec
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, write_spec
from tests.sweep.data_studies import IMAGES, LATENTS, pictures, shards, tiny_with


def test_faults_of_a_spec_are_one_message_and_exit_code_2(tmp_path):
    write_spec(tmp_path, TINY.replace("steps: 6", "stepz: 6").replace("family: dit", "family: x"))
    done = call(tmp_path, "check")
    assert done.returncode == 2 and done.stdout == ""
    assert "did you mean 'steps'" in done.stderr and "model.family" in done.stderr
    assert "Traceback" not in done.stderr


def test_faults_of_a_folder_come_before_any_trial(tmp_path):
    pictures(tmp_path)
    (tmp_path / "pictures" / "a" / "0.png").write_bytes(b"broken")
    Image.new("RGB", (9, 9)).save(tmp_path / "pictures" / "a" / "odd.png")
    write_spec(tmp_path, tiny_with(IMAGES))
    for command in (("check",), ("run", "tiny", "--inline")):
        refused = call(tmp_path, *command)
        assert refused.returncode == 2 and "2 faults" in refused.stderr
        assert "a/0.png" in refused.stderr and "a/odd.png (9×9 RGB)" in refused.stderr
    assert not (tmp_path / "runs").exists()


def test_values_of_latents_are_looked_at_before_any_trial_unless_the_user_says_no(tmp_path):
    write_spec(tmp_path, tiny_with(LATENTS))
    absent = call(tmp_path, "check")
    assert absent.returncode == 0 and "no latents in" in absent.stderr
    shards(tmp_path)
    good = call(tmp_path, "check")
    assert good.returncode == 0 and "std 0.59" in good.stdout and "latents" not in good.stderr
    image = torch.full((40, 4, 8, 8), torch.inf)
    save_file({"image": image, "label": torch.arange(40) % 2}, tmp_path / "shards/0.safetensors")
    for command in (("check",), ("run", "tiny", "--inline")):
        refused = call(tmp_path, *command)
        assert refused.returncode == 2 and "infinity in 40" in refused.stderr
    assert not (tmp_path / "runs").exists()
    assert call(tmp_path, "check", "--no-data").returncode == 0


def test_a_folder_that_is_elsewhere_is_a_fault_unless_the_user_says_no(tmp_path):
    write_spec(tmp_path, tiny_with(IMAGES))
    assert call(tmp_path, "check").returncode == 2
    assert call(tmp_path, "check", "tiny", "--no-data").returncode == 0


def test_the_licence_is_shown_by_check_plan_and_run(tmp_path):
    write_spec(tmp_path, tiny_with("data: {source: openmoji}"))
    for words in (("check",), ("plan", "tiny", "--no-time")):
        output = call(tmp_path, *words).stdout
        assert "OpenMoji" in output and "CC BY-SA" in output
    write_spec(tmp_path)
    assert "OpenMoji" not in call(tmp_path, "check").stdout


def test_only_the_named_studies_are_checked(tmp_path):
    name, study = TINY.split("studies:\n")[1].split("\n", 1)
    other = study.replace("family: dit", "family: dot")
    write_spec(tmp_path, f"{TINY.rstrip()}\n{name.replace('tiny', 'other')}\n{other}")
    done = call(tmp_path, "check", "tiny")
    assert done.returncode == 0 and "no faults" in done.stdout and "other" not in done.stdout
    assert call(tmp_path, "check").returncode == 2  # the control: the other one has a fault


def test_json_is_the_resolved_study(tiny, tiny_spec):
    (plain,) = json.loads(call(tiny_spec.parent, "check", "--json").stdout).values()
    assert spec.from_resolved(plain) == tiny
    assert spec.from_resolved(plain | {"method": "random"}) != tiny  # the control


def test_a_design_that_cannot_pass_is_a_warning_on_stderr_and_no_fault(tmp_path):
    write_spec(tmp_path, TINY.replace("rel_loss: 0.02", "rel_loss: 0.6"))
    done = call(tmp_path, "check")
    assert done.returncode == 0 and "no faults" in done.stdout and "warning" not in done.stdout
    assert "warning: tiny: target.tolerance.rel_loss: below 50 %" in done.stderr
    as_json = call(tmp_path, "check", "--json")
    assert json.loads(as_json.stdout) and "warning: tiny" in as_json.stderr
