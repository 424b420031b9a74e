"""`mutransfer init`: a study of the user's own data that is right and runs as it is written."""

import sys

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mutransfer.sweep import spec
from tests.sweep.command_line import call
from tests.sweep.custom_model import MODULE

SOON = ("--minutes", "0.01")


def photos(folder, *, size=(12, 9), captions=False, name="{}.png"):
    for label, colour in (("cat", (200, 0, 0)), ("dog", (0, 0, 200))):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(4):
            path = folder / "photos" / label / name.format(i)
            Image.new("RGB", size, colour).save(path)
            if captions:
                path.with_suffix(".txt").write_text(f"a {label}, number {i}")


def drafted(folder, *words):
    done = call(folder, "init", *words, *SOON)
    assert done.returncode == 0, done.stderr
    return spec.read(folder / "sweeps.yaml")["mine"]


@pytest.mark.parametrize(
    ("captions", "family"),
    [
        (False, "dit"),
        pytest.param(True, "pixart", marks=pytest.mark.slow),
    ],
)
def test_a_folder_of_images_becomes_a_study_that_has_no_faults(tmp_path, captions, family):
    photos(tmp_path, captions=captions)
    study = drafted(tmp_path, "--images", "photos")
    assert (study.model.family, study.data.size, study.data.resize) == (family, 8, True)
    assert study.train.steps == 100
    assert "path: photos" in (tmp_path / "sweeps.yaml").read_text()
    assert (
        "# 8 images [3, 8, 8] in 2 classes: cat 4, dog 4" in (tmp_path / "sweeps.yaml").read_text()
    )
    assert call(tmp_path, "check").returncode == 0


def test_shards_become_a_study_with_their_names_labels_and_scale(tmp_path):
    (tmp_path / "shards").mkdir()
    rng = torch.Generator().manual_seed(0)
    latents = 5.5 * torch.randn(40, 4, 8, 8, generator=rng) + 3
    labels = torch.arange(40) % 10 + 1
    save_file({"latents": latents, "labels": labels}, tmp_path / "shards" / "0.safetensors")
    data = drafted(tmp_path, "--latents", "shards").data
    assert (data.n_samples, data.n_classes, data.first_label) == (40, 10, 1)
    assert dict(data.keys) == {"image": "latents", "label": "labels"}
    assert data.scale[0] == pytest.approx(1 / 5.5, rel=0.1)
    assert data.shift[0] == pytest.approx(3, rel=0.2)


def test_a_module_becomes_a_study(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_of_init.py").write_text(MODULE + "\n\ndata = Data\n")
    study = drafted(tmp_path, "--module", "own_of_init")
    assert (study.model.family, study.model.build) == ("custom", "own_of_init:build")


def test_the_name_of_a_file_cannot_write_into_the_spec(tmp_path):
    photos(tmp_path, name="{}\n  other: 1\n#.png", captions=True)
    drafted(tmp_path, "--images", "photos")
    assert list(spec.read(tmp_path / "sweeps.yaml")) == ["mine"]


def test_what_cannot_be_drafted_is_one_message_and_writes_nothing(tmp_path):
    assert "one of --images" in call(tmp_path, "init").stderr
    gone = call(tmp_path, "init", "--images", "nowhere")
    assert gone.returncode == 2 and "no folder nowhere" in gone.stderr
    assert not (tmp_path / "sweeps.yaml").exists()
    (tmp_path / "sweeps.yaml").write_text("mine")
    photos(tmp_path)
    kept = call(tmp_path, "init", "--images", "photos")
    assert kept.returncode == 2 and "got one that exists" in kept.stderr
    assert (tmp_path / "sweeps.yaml").read_text() == "mine"


@pytest.mark.slow
def test_a_drafted_study_runs_to_its_verdict(tmp_path):
    photos(tmp_path, captions=True)
    drafted(tmp_path, "--images", "photos")
    assert call(tmp_path, "run", "mine", "--inline").returncode == 0
    assert call(tmp_path, "analyze", "mine").returncode in (0, 3)
