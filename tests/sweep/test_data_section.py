"""Data in a spec: chosen by source, found beside the spec, judged before any trial."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mutransfer.proxies import data
from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.run import driver, memory
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of, write_spec
from tests.sweep.test_cli import call

DIGITS = "data: {source: digits, val_draws: 1}"
DIT = "model: {family: dit, depth: 1, head_dim: 8, base_width: 16, patch_size: 4}"
PIXART = DIT.replace("family: dit", "family: pixart")
IMAGES = "data: {source: images, path: pictures, size: 8, val_draws: 1}"
LATENTS = (
    "data: {source: latents, path: shards, n_samples: 40, n_validation: 8, shape: [4, 8, 8], "
    "n_classes: 2, val_draws: 1}"
)


def tiny_with(section=DIGITS, model=DIT):
    assert DIGITS in TINY and DIT in TINY
    return TINY.replace(DIGITS, section).replace(DIT, model)


def pictures(folder, captions=()):
    rng = np.random.default_rng(0)
    lines = []
    for i in range(24):
        path = folder / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        flat = np.full((8, 8, 3), rng.integers(0, 256, 3), np.uint8)
        Image.fromarray(flat).save(path)
        name = path.relative_to(folder / "pictures").as_posix()
        lines += [{"file_name": name, "text": text} for text in captions]
    if captions:
        text = "\n".join(map(json.dumps, lines))
        (folder / "pictures" / "metadata.jsonl").write_text(text)


def shards(folder):
    image = torch.linspace(-1, 1, 40)[:, None, None, None].expand(40, 4, 8, 8).contiguous()
    (folder / "shards").mkdir()
    save_file({"image": image, "label": torch.arange(40) % 2}, folder / "shards" / "0.safetensors")


@pytest.mark.parametrize(
    ("section", "path", "told"),
    [
        ("data: {source: openmojy}", "data.source", "did you mean 'openmoji'"),
        ("data: {val_draws: 1}", "data.source", "digits, openmoji, images, latents"),
        ("data: {source: openmoji, size: 64}", "data.size", "correct"),
        ("data: {source: openmoji, captions_length: 4}", "data.captions_length", "caption_length"),
        ("data: {source: openmoji, caption_length: 4}", "data.caption_length", "truncate: true"),
        ("data: {source: openmoji, features: random_conv, feature_side: 5}", "data.feature_side",
         "patch_size"),
        ("data: {source: openmoji, embeddings: none.safetensors}", "data.embeddings", "correct"),
        ("data: {source: images, size: 8}", "data", "add `path"),
        (IMAGES, "data.path", "no folder"),
        (LATENTS.replace("n_validation: 8", "n_validation: 40"), "data.n_validation", "lower it"),
    ],
)  # fmt: skip
def test_each_fault_of_the_data_has_place_rule_and_remedy(section, path, told):
    with pytest.raises(SpecError) as caught:
        study_of(tiny_with(section))
    found = [f for f in caught.value.faults if f.path == f"studies.tiny.{path}"]
    assert found and found[0].line is not None and told in str(found[0])


def test_a_captioned_family_needs_captions():
    with pytest.raises(SpecError, match="pixart is conditioned on captions"):
        study_of(tiny_with(model=PIXART))
    assert study_of(tiny_with("data: {source: openmoji}", PIXART)).model.family == "pixart"


def test_a_path_is_taken_from_the_folder_of_the_spec(tmp_path, monkeypatch):
    pictures(tmp_path)
    path = write_spec(tmp_path, tiny_with(IMAGES))
    monkeypatch.chdir("/")
    study = spec.read(path)["tiny"]
    assert study.data.path == str(tmp_path / "pictures")
    assert spec.from_resolved(json.loads(json.dumps(study.resolved()))) == study


def test_a_name_is_no_path():
    section = "data: {source: openmoji, features: random_conv, feature_side: 4}"
    study = study_of(tiny_with(section))
    assert study.data == OpenmojiConfig(features="random_conv", feature_side=4)


def test_a_folder_of_captioned_images_runs_from_spec_to_verdict(tmp_path):
    pictures(tmp_path, captions=["a flat colour"])
    write_spec(tmp_path, tiny_with(IMAGES, PIXART))
    done = call(tmp_path, "run", "tiny", "--inline")
    assert done.returncode == 0, done.stderr
    table = Store(str(tmp_path / "runs/tiny")).table()
    assert len(table) > 10 and not (table["status"] == "failed").any()
    assert call(tmp_path, "analyze", "tiny").returncode in (0, 3)
    shutil.rmtree(tmp_path / "pictures")
    data.load.cache_clear()  # another process: results outlive the data
    assert call(tmp_path, "analyze", "tiny").returncode in (0, 3)
    assert call(tmp_path, "run", "tiny", "--inline").returncode == 2


def test_latents_can_be_checked_and_planned_before_they_are_there(tmp_path):
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


def test_a_run_directory_belongs_to_the_content_of_its_data_and_not_to_the_place(tmp_path):
    pictures(tmp_path / "one")
    store = Store(str(tmp_path / "runs"))
    study = spec.read(write_spec(tmp_path / "one", tiny_with(IMAGES)))["tiny"]
    assert rundir.claim(store, study) == []
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    moved = spec.read(tmp_path / "two" / "sweeps.yaml")["tiny"]
    assert [change.path for change in rundir.claim(store, moved)] == ["data.path"]
    path = tmp_path / "two" / "pictures" / "a" / "0.png"
    Image.new("RGB", (8, 8), "red").save(path)
    data.load.cache_clear()
    with pytest.raises(UserError, match="the content of the data"):
        rundir.claim(store, moved)


def test_the_licence_is_shown_by_check_plan_and_run(tmp_path):
    write_spec(tmp_path, tiny_with("data: {source: openmoji}"))
    for words in (("check",), ("plan", "tiny", "--no-time")):
        shown = call(tmp_path, *words).stdout
        assert "OpenMoji" in shown and "CC BY-SA" in shown
    write_spec(tmp_path)
    assert "OpenMoji" not in call(tmp_path, "check").stdout


def test_a_model_too_big_for_memory_is_refused_before_any_trial(tiny, tmp_path):
    needed = 16 * 13_000  # four copies in float32 of about as many parameters
    memory.check(tiny, 1e9, "this machine")
    with pytest.raises(UserError, match="a model of width 32 has"):
        memory.check(tiny, needed / 2, "this machine")
    config = driver.State.load(tiny, Store(str(tmp_path))).next.trials[0].config
    averaged = dataclasses.replace(config, train=dataclasses.replace(config.train, ema_frac=0.5))
    assert memory.needed_bytes(averaged) == 1.25 * memory.needed_bytes(config)
    assert 1e9 < memory.of_this_machine() < 1e15


@pytest.fixture(scope="module")
def shipped(request):
    return spec.read(request.config.rootpath / "sweeps.yaml")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    # The paper's own figures: 2.7 % (from its sizes), 5.5 % with rounded sizes, 12.0 %.
    [("paper-dit", 2.6, 2.7), ("paper-pixart", 5.3, 5.5), ("paper-mmdit", 11.7, 12.3)],
)
def test_the_papers_searches_cost_what_the_paper_says(shipped, name, low, high):
    assert low < 100 * estimate.paper_share(shipped[name]) < high
    with_itself = dataclasses.replace(shipped[name], production=None)
    assert estimate.paper_share(with_itself) > estimate.paper_share(shipped[name])
