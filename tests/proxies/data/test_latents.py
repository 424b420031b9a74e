"""Precomputed latents and embeddings, in shards."""

import dataclasses
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mutransfer.proxies import data
from mutransfer.proxies.config.data import LatentsConfig
from mutransfer.proxies.config.model import DiTConfig, PixArtConfig
from mutransfer.proxies.config.trial import HPs, TrainConfig, TrialConfig
from mutransfer.proxies.data import latents
from mutransfer.proxies.errors import DataError
from mutransfer.proxies.training.flops import n_params
from mutransfer.proxies.training.identity import identity
from mutransfer.proxies.training.train import Training

N = 20


def config(folder, **options):
    given = {"n_samples": N, "n_validation": 4, "shape": (4, 8, 8), "n_classes": 5,
             "caption": (3, 6), "pooled": 7, "feature": (4, 2), "val_draws": 1}  # fmt: skip
    return LatentsConfig(path=str(folder), **given | options)


def parts():
    rng = torch.Generator().manual_seed(0)
    mask = torch.arange(3) < torch.randint(0, 4, (N, 1), generator=rng)  # some have no token
    assert (~mask.any(dim=1)).any()
    return {
        "image": torch.randn(N, 4, 8, 8, generator=rng, dtype=torch.float16),
        "label": torch.arange(N, dtype=torch.int32) % 5,
        "caption": torch.randn(N, 3, 6, generator=rng).bfloat16(),
        "caption_mask": mask,
        "pooled": torch.randn(N, 7, generator=rng),
        "feature": torch.randn(N, 4, 2, generator=rng),
    }


def write(folder, samples=None, ends=(0, 7, N)):
    folder.mkdir(exist_ok=True)
    for shard, (start, end) in enumerate(pairwise(ends)):
        cut = {name: part[start:end].contiguous() for name, part in (samples or parts()).items()}
        save_file(cut, folder / f"{shard:03d}.safetensors")
    return folder


def test_samples_are_those_of_the_shards_in_float32(tmp_path):
    fed = latents.load(config(write(tmp_path), label_dropout=0.0, caption_dropout=0.0))
    samples, rows = parts(), torch.tensor([19, 0, 7, 6])
    taken = fed.take(rows)
    for name in samples:
        zeros = fed.info.zeros(4)[name]
        assert (taken[name].shape, taken[name].dtype) == (zeros.shape, zeros.dtype)
    assert torch.equal(taken["image"], samples["image"][rows].float())
    assert torch.equal(taken["label"], samples["label"][rows].long())
    assert torch.equal(taken["feature"], samples["feature"][rows])


def test_shards_are_only_a_way_of_storing(tmp_path):
    single = latents.load(config(write(tmp_path / "a", ends=(0, N))))
    many = latents.load(config(write(tmp_path / "b", ends=(0, 1, 5, 12, N))))
    for name, part in single.batch(3, 9, 16).items():
        assert torch.equal(part, many.batch(3, 9, 16)[name])


def test_a_caption_without_a_token_is_the_null_caption(tmp_path):
    fed = latents.load(config(write(tmp_path)))
    empty = (~parts()["caption_mask"].any(dim=1)).nonzero().squeeze(1)
    taken, null = fed.take(empty), fed.null(len(empty))
    assert torch.equal(taken["caption_mask"], null["caption_mask"])
    assert torch.equal(taken["caption"], null["caption"])


def test_validation_is_apart_from_training_and_the_same_for_all(tmp_path):
    fed = latents.load(config(write(tmp_path), caption_dropout=0.0))
    validation, epoch = fed.validation()["image"], fed.batch(0, 0, N - 4)["image"]
    seen = {image.numpy().tobytes() for image in torch.cat([validation, epoch])}
    assert len(validation) == 4 and len(seen) == N
    assert len(fed.validation_texts()) == 4


def test_what_is_declared_is_known_without_any_file(tmp_path):
    absent = config(tmp_path / "nowhere")
    info = data.info(absent)
    assert (info.shape, info.caption, info.pooled, info.feature) == ((4, 8, 8), (3, 6), 7, (4, 2))
    assert not data.is_present(absent)
    trial = TrialConfig(
        model=DiTConfig(depth=1, head_dim=8, base_width=16, patch_size=2),
        data=absent, train=TrainConfig(steps=2, batch_size=2), hps=HPs(lr=0.01), width=16,
    )  # fmt: skip
    assert n_params(trial) > 0 and len(identity(trial)) == 16
    with pytest.raises(DataError, match="safetensors shards"):
        Training(trial)


def test_identity_is_of_content_or_of_a_declared_name_and_not_of_the_path(tmp_path):
    first = data.identity(config(write(tmp_path / "a")))
    assert data.identity(config(write(tmp_path / "b"))) == first
    changed = parts()
    changed["pooled"][3, 3] += 1
    assert data.identity(config(write(tmp_path / "c", changed))) != first
    assert data.identity(config(tmp_path / "none"))["fingerprint"] == latents.ABSENT
    named = config(tmp_path / "none", fingerprint="imagenet-v1")
    assert data.identity(named)["fingerprint"] == "imagenet-v1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (4, 4, 4)}, r"`image` of 000.safetensors is \[7, 4, 4, 4\], as declared"),
        ({"pooled": 9}, "`pooled` of 001.safetensors"),
        ({"n_samples": 21}, "declare 20"),
        ({"n_validation": 20}, "fewer validation samples"),
    ],
)
def test_shards_that_are_not_as_declared_are_named(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        latents.load(config(write(tmp_path), **change))


def test_a_missing_part_and_a_broken_shard_are_reported_together(tmp_path):
    write(tmp_path, {name: part for name, part in parts().items() if name != "pooled"})
    (tmp_path / "001.safetensors").write_bytes(b"broken")
    with pytest.raises(DataError) as caught:
        latents.load(config(tmp_path))
    message = str(caught.value)
    assert "no such tensor" in message and "001.safetensors" in message


def test_what_is_not_declared_is_not_read(tmp_path):
    fed = latents.load(config(write(tmp_path), caption=None, pooled=None, feature=None))
    assert set(fed.batch(0, 0, 4)) == {"image", "label"}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells resident memory")
def test_a_shard_is_mapped_and_not_copied_into_memory(tmp_path):
    n = 200_000
    save_file({"image": torch.zeros(n, 1, 16, 16), "label": torch.zeros(n, dtype=torch.int64)},
              tmp_path / "0.safetensors")  # fmt: skip
    large = LatentsConfig(path=str(tmp_path), n_samples=n, n_validation=1, shape=(1, 16, 16),
                          n_classes=1, fingerprint="zeros")  # fmt: skip
    before = resident_bytes()
    fed = latents.load(large)
    fed.batch(0, 0, 8)
    assert resident_bytes() - before < 50e6
    samples = fed.take(torch.arange(n))  # the control: 205 MB that are looked at
    assert resident_bytes() - before > 150e6 and len(samples["label"]) == n


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_captioned_model_trains_on_latents(tmp_path):
    write(tmp_path)
    model = PixArtConfig(depth=1, head_dim=8, base_width=16, patch_size=4)
    trial = TrialConfig(
        model=model, data=config(tmp_path),
        train=TrainConfig(steps=6, batch_size=8, n_val=1), hps=HPs(lr=2**-7), width=16,
    )  # fmt: skip
    results = []
    for each in (trial, trial, dataclasses.replace(trial, seed=1)):
        training = Training(each)
        for _ in training.run():
            pass
        results.append(training.result())
    curves = [[point["train_loss"] for point in result.curve] for result in results]
    assert all(math.isfinite(loss) for curve in curves for loss in curve)
    assert curves[0] == curves[1] != curves[2]
