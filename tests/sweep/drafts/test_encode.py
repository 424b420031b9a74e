"""`mutransfer encode`: the commands of docs/data.md, to a study that trains."""

import re

import pytest
import yaml

from tests.environments import ROOT
from tests.proxies.encoding.small_encoders import write_images, write_text_encoder, write_vae
from tests.sweep.command_line import call

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A folder in which the commands of the page were typed."""
    folder = tmp_path_factory.mktemp("encode")
    mean = [0.17, 0.4, -0.31, 0.015]  # measured
    std = [0.125, 0.125, 0.109, 0.131]
    write_vae(folder / "vae", scaling_factor=1.0, latents_mean=mean, latents_std=std)
    write_text_encoder(folder / "t5", "t5")
    write_images(folder / "photos", n=8, size=(80, 64))
    (block,) = re.findall(r"^```sh\n(mutransfer encode.*?)^```", PAGE, re.M | re.S)
    done = [call(folder, *line.split()[1:]) for line in block.splitlines()]
    return folder, done


def test_the_commands_of_the_page_write_shards_and_a_study(encoded):
    folder, (encode, init) = encoded
    assert encode.returncode == init.returncode == 0, encode.stderr + init.stderr
    assert "16 latents [4, 32, 32] in 1 shards: std" in encode.stdout
    assert "next: mutransfer init --latents encoded" in encode.stdout
    assert call(folder, "check").returncode == 0
    study = yaml.safe_load((folder / "sweeps.yaml").read_text())["studies"]["mine"]
    assert (study["data"]["caption"], study["model"]["family"]) == ([12, 16], "pixart")


def test_latents_far_from_unit_variance_are_warned_of(encoded):
    folder, _ = encoded
    write_vae(folder / "loud", scaling_factor=400.0)
    done = call(folder, "encode", "photos", "--vae", "loud", "--size", "16", "--out", "other")
    assert done.returncode == 0 and "far from unit variance" in done.stderr
    assert "far from" not in encoded[1][0].stderr  # the control


def test_what_cannot_be_encoded_is_one_message(tmp_path):
    for words, said in (
        (("--vae", "/nowhere"), "no such folder"),
        (("--vae", "x", "--dtype", "int8"), "float16, bfloat16, float32; got 'int8'"),
    ):
        done = call(tmp_path, "encode", "photos", "--out", "out", *words)
        assert done.returncode == 2 and said in done.stderr
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_study_of_what_is_encoded_runs_to_its_verdict(encoded):
    folder, _ = encoded
    path = folder / "sweeps.yaml"
    study = yaml.safe_load(path.read_text())
    study["studies"]["mine"]["train"]["steps"] = 10
    study["studies"]["mine"]["search"]["trials"] = 6
    study["studies"]["mine"]["transfer"] |= {"points": 3, "seeds": 1}
    study["studies"]["mine"]["model"]["patch_size"] = 8
    path.write_text(yaml.safe_dump(study))
    done = call(folder, "run", "mine", "--inline")
    assert done.returncode == 0, done.stderr
    assert call(folder, "analyze", "mine").returncode in (0, 3)
