"""Shards that are missing, torn, pointers or of another layout: each is named with its remedy."""

import pytest
import torch
from safetensors.torch import save_file

from mutransfer.proxies import data
from mutransfer.proxies.data import latents
from mutransfer.proxies.errors import DataError
from tests.proxies.data.test_latents import N, config, parts, write

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def fault(folder, **options):
    with pytest.raises(DataError) as caught:
        data.look(config(folder, **options))
    return str(caught.value)


def test_a_pointer_of_git_lfs_is_told_from_a_torn_file(tmp_path):
    write(tmp_path)
    (tmp_path / "001.safetensors").write_text(POINTER)
    assert "git lfs pull" in fault(tmp_path)
    write(tmp_path)
    content = (tmp_path / "001.safetensors").read_bytes()
    (tmp_path / "001.safetensors").write_bytes(content[: len(content) // 2])
    text = fault(tmp_path)
    assert "torn" in text and "git lfs" not in text and f"{len(content) // 2:,} bytes" in text


def test_a_shard_that_is_missing_of_a_numbered_series_is_named(tmp_path):
    write(tmp_path)
    for number in (0, 1):
        (tmp_path / f"00{number}.safetensors").rename(
            tmp_path / f"train-0000{number}-of-00002.safetensors"
        )
    assert data.look(config(tmp_path)).warnings == ()  # the control
    (tmp_path / "train-00001-of-00002.safetensors").unlink()
    text = fault(tmp_path)
    assert "all 2 shards train-…-of-2" in text and "number 1" in text


def test_tensors_of_other_names_are_listed_and_can_be_named(tmp_path):
    renamed = {{"image": "latents", "label": "labels"}.get(k, k): v for k, v in parts().items()}
    write(tmp_path, renamed | {"extra": torch.zeros(N, 1)})
    text = fault(tmp_path)
    assert "the file has caption, caption_mask, extra, feature, labels, latents, pooled" in text
    assert "`keys: {image: latents}`" in text and "`keys: {label: labels}`" in text
    named = config(tmp_path, keys={"image": "latents", "label": "labels"})
    assert data.look(named).warnings == ()
    taken = latents.load(named).take(torch.arange(N))
    assert torch.equal(taken["image"], parts()["image"].float())


def test_hidden_files_are_no_shards(tmp_path):
    write(tmp_path)
    (tmp_path / "._000.safetensors").write_bytes(b"Mac OS X")
    assert data.look(config(tmp_path)).warnings == ()


def test_a_label_without_dimensions_is_a_fault_and_no_traceback(tmp_path):
    save_file(parts() | {"label": torch.tensor(0)}, tmp_path / "0.safetensors")
    assert "`label` of 0.safetensors is ['n'], as declared; got []" in fault(tmp_path)
