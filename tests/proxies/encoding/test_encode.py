"""Encoding: shards that are read as latents, equal to what the models give, and resumable."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from mutransfer.proxies import data
from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.encoding import Options, encode
from mutransfer.proxies.encoding.pretrained import located
from mutransfer.proxies.errors import DataError
from tests.proxies.encoding.small_encoders import (
    AutoencoderKL,
    transformers,
    write_images,
    write_text_encoder,
    write_vae,
)


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return write_vae(tmp_path_factory.mktemp("vae"), shift_factor=0.05, scaling_factor=0.7)


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    return write_text_encoder(tmp_path_factory.mktemp("t5"), "t5")


def options(tmp_path, vae, **changed):
    images = tmp_path / "images"
    if not images.exists():
        write_images(images)
    folder = changed.pop("images", ImagesConfig(path=str(images), size=16))
    given = {"shard_samples": 5, "batch_samples": 2, "dtype": "float32", "out": tmp_path / "out"}
    return Options(**(given | {"images": folder, "vae": str(vae)} | changed))


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tensors(folder):
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                found.setdefault(key, []).append(file.get_tensor(key))
    return {key: torch.cat(parts) for key, parts in found.items()}


def test_latents_are_those_of_diffusers_scaled_as_its_config_says(tmp_path, vae):
    encode(options(tmp_path, vae))
    model = AutoencoderKL.from_pretrained(vae, low_cpu_mem_usage=False)
    images = []
    for label in ("blue", "red"):
        for i in range(6):
            image = Image.open(tmp_path / "images" / label / f"{i}.png").crop((2, 0, 18, 16))
            images.append(np.asarray(image).transpose(2, 0, 1))
    pixels = torch.tensor(np.stack(images)).float() / 127.5 - 1
    with torch.no_grad():
        expected = (model.encode(pixels).latent_dist.mode() - 0.05) * 0.7
    found = tensors(tmp_path / "out")
    torch.testing.assert_close(found["image"], expected, rtol=1e-4, atol=1e-5)
    assert found["label"].tolist() == [0] * 6 + [1] * 6
    assert not torch.allclose(found["image"], expected / 0.7, rtol=1e-4)  # the control: unscaled


@pytest.mark.parametrize("kind", ["t5", "clip", "clip-projected"])
def test_captions_are_those_of_transformers_and_empty_ones_are_null(tmp_path, vae, kind):
    where = write_text_encoder(tmp_path / kind, kind)
    encoded = encode(options(tmp_path, vae, text_encoder=str(where), caption_length=7))
    found = tensors(tmp_path / "out")
    names = {"t5": "T5EncoderModel", "clip": "CLIPTextModel"}
    name = names.get(kind, "CLIPTextModelWithProjection")
    model = getattr(transformers, name).from_pretrained(where)
    tokenizer = transformers.AutoTokenizer.from_pretrained(where)
    tokens = tokenizer("a a blue thing", padding="max_length", max_length=7, return_tensors="pt")
    with torch.no_grad():
        out = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
    n = int(tokens["attention_mask"].sum())
    torch.testing.assert_close(found["caption"][2, :n], out.last_hidden_state[0, :n])
    assert found["caption_mask"][2].tolist() == [True] * n + [False] * (7 - n)
    pooled = {"clip": "pooler_output", "clip-projected": "text_embeds"}.get(kind)
    expected = out[pooled][0] if pooled else out.last_hidden_state[0, :n].mean(dim=0)
    torch.testing.assert_close(found["pooled"][2], expected)
    for part in ("caption", "caption_mask", "pooled"):
        assert not found[part][0].any() and found[part][1].any()  # the empty one, and the control
    assert any("2 captions were cut at 7 tokens" in line for line in encoded.lines)


def test_what_is_written_is_read_as_latents(tmp_path, vae, t5):
    encoded = encode(options(tmp_path, vae, text_encoder=str(t5)))
    config = encoded.config
    assert (config.n_samples, config.shape, config.caption) == (12, (4, 8, 8), (12, 16))
    assert "2 of 2 classes occur" in " ".join(data.look(config).lines)
    sums = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(sums, cwd=tmp_path / "out", capture_output=True).returncode == 0
    batch = data.load(config).batch(0, 0, 4)
    assert batch["image"].shape == (4, 4, 8, 8) and batch["caption_mask"].any(dim=1).all()


def test_the_split_of_the_folder_is_that_of_the_shards(tmp_path, vae):
    write_images(tmp_path / "images" / "train")
    write_images(tmp_path / "images" / "val", n=2)
    config = encode(options(tmp_path, vae)).config
    assert (config.n_samples, config.n_validation, config.validation) == (16, 4, "last")
    labels = data.load(config).validation()["label"].tolist()
    assert labels == [0, 0, 1, 1]
    chance = dataclasses.replace(config, validation="random")
    assert data.identity(chance) != data.identity(config)


def test_others_may_read_what_is_written(tmp_path, vae):
    before = os.umask(0o022)
    try:
        encode(options(tmp_path, vae))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert set(modes.values()) == {0o644}, modes


def test_a_second_run_encodes_nothing_and_a_torn_shard_again(tmp_path, vae, t5):
    asked = options(tmp_path, vae, text_encoder=str(t5))
    encode(asked)
    before = files(tmp_path / "out")
    assert any("3 were there already" in line for line in encode(asked).lines)
    torn = tmp_path / "out" / "train-00001-of-00003.safetensors"
    torn.write_bytes(torn.read_bytes()[:-1] + b"x")
    again = encode(asked)
    assert any("2 were there already" in line for line in again.lines)
    assert files(tmp_path / "out") == before


def test_a_changed_image_or_caption_is_encoded_again(tmp_path, vae, t5):
    asked = options(tmp_path, vae, text_encoder=str(t5))
    encode(asked)
    Image.new("RGB", (16, 16), "red").save(tmp_path / "images" / "red" / "5.png")
    metadata = tmp_path / "images" / "blue" / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace('"a blue thing"', '"a red thing"'))
    assert any("1 were there already" in line for line in encode(asked).lines)


KILLED = """
import sys
sys.modules["torchvision"] = None
from pathlib import Path
from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.encoding import Options, encode
images, vae, t5, out = sys.argv[1:]
encode(Options(images=ImagesConfig(path=images, size=16), vae=vae, text_encoder=t5, out=Path(out),
               shard_samples=1, batch_samples=2, dtype="float32"))
"""


def test_killed_and_repeated_the_shards_are_equal_to_the_bit(tmp_path, vae, t5):
    given = options(tmp_path, vae, text_encoder=str(t5), shard_samples=1, out=tmp_path / "whole")
    encode(given)
    words = [str(tmp_path / "images"), str(vae), str(t5), str(tmp_path / "out")]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words], start_new_session=True)
    out, deadline = tmp_path / "out", time.monotonic() + 120
    while not list(out.glob("*.safetensors")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list(out.glob("*.safetensors"))) < 12  # it was killed amid its work
    (out / ".tmp-1-left").write_bytes(b"torn")
    encode(dataclasses.replace(given, out=out))
    assert files(out) == files(tmp_path / "whole")


def test_another_recipe_or_a_folder_of_other_files_is_refused(tmp_path, vae):
    encode(options(tmp_path, vae))
    with pytest.raises(DataError, match="size 16, now 8"):
        folder = ImagesConfig(path=str(tmp_path / "images"), size=8)
        encode(options(tmp_path, vae, images=folder))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds notes\.txt"):
        encode(options(tmp_path, vae, out=tmp_path / "mine"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vae": "/no/such"}, "no such folder"),
        ({"text_encoder": "/no/such"}, "--text-encoder: .*no such folder"),
        ({"caption_length": 13}, "1 to 12 tokens"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, vae, t5, change, message):
    with pytest.raises(DataError, match=message):
        encode(options(tmp_path, **({"vae": vae, "text_encoder": str(t5)} | change)))


def test_a_package_that_is_absent_or_broken_is_named(tmp_path, vae, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(DataError, match=r"diffusers can be imported.*mutransfer\[encode\]"):
        encode(options(tmp_path, vae))


def test_a_name_on_the_hub_may_have_a_subfolder(tmp_path):
    name = "pretrained_model_name_or_path"
    assert located("--vae", str(tmp_path)) == {name: str(tmp_path)}
    assert located("--vae", "org/model") == {name: "org/model"}
    assert located("--vae", "org/model/vae") == {name: "org/model", "subfolder": "vae"}
    for path in ("./model", "~/model", "/org/model", "org//model", "org\\model"):
        with pytest.raises(DataError, match="no such folder"):
            located("--vae", path)


def test_a_size_that_does_not_fit_is_refused(tmp_path, vae):
    write_images(tmp_path / "images")
    folder = ImagesConfig(path=str(tmp_path / "images"), size=15)
    with pytest.raises(DataError, match=r"a multiple of 2.*take 14"):
        encode(options(tmp_path, vae, images=folder))


def test_weights_that_are_pickles_or_of_another_kind_are_refused(tmp_path, vae, t5):
    pickled = write_vae(tmp_path / "pickled")
    weights = pickled / "diffusion_pytorch_model.safetensors"
    torch.save(AutoencoderKL.from_pretrained(vae).state_dict(), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(DataError, match="formats of weights are not read"):
        encode(options(tmp_path, pickled))
    with pytest.raises(DataError, match="an AutoencoderKL of diffusers"):
        encode(options(tmp_path, t5))
    config = json.loads((t5 / "config.json").read_text())
    other = write_text_encoder(tmp_path / "other", "t5")
    (other / "config.json").write_text(json.dumps(config | {"architectures": ["GPT2LMHeadModel"]}))
    with pytest.raises(DataError, match=r"a text encoder: .*got GPT2LMHeadModel"):
        encode(options(tmp_path, vae, text_encoder=str(other)))


def test_infinities_of_a_format_are_refused_and_broken_images_left_out(tmp_path, vae):
    huge = write_vae(tmp_path / "huge", scaling_factor=1e6)
    with pytest.raises(DataError, match="`image` is finite in float16"):
        encode(options(tmp_path, huge, dtype="float16"))
    (tmp_path / "images" / "red" / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="every image can be decoded"):
        encode(options(tmp_path, vae))
    folder = ImagesConfig(path=str(tmp_path / "images"), size=16, skip_unreadable=True)
    encoded = encode(options(tmp_path, vae, images=folder))
    assert encoded.config.n_samples == 11 and "left out: 1 images" in " ".join(encoded.lines)
