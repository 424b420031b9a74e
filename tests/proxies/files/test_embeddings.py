"""Caption embeddings that the user computed."""

import json

import pytest
import torch
from safetensors.torch import save_file

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data.captions import encode
from mutransfer.proxies.errors import DataError

TEXTS = ["grinning face", "face with open mouth", "grinning face"]


def config(**options):
    return OpenmojiConfig(caption_length=4, embedding_dim=8, **options)


def embeddings(path, texts, **changed):
    rng = torch.Generator().manual_seed(0)
    parts = {
        "caption": torch.randn(len(texts), 3, 5, generator=rng),
        "caption_mask": torch.ones(len(texts), 3, dtype=torch.bool),
        "pooled": torch.randn(len(texts), 7, generator=rng),
    } | changed
    tensors = {name: part for name, part in parts.items() if part is not None}
    save_file(tensors, path, metadata={"captions": json.dumps(texts)})
    return tensors


def test_the_users_embeddings_are_found_by_their_captions(tmp_path):
    path = tmp_path / "text.safetensors"
    given = embeddings(path, ["unused", "face with open mouth", "grinning face"])
    captions = encode(TEXTS, config(embeddings=str(path)))
    assert captions.shape == (3, 5)
    batch = captions.take(torch.tensor([0, 1]))
    for name in given:
        assert torch.equal(batch[name], given[name][[2, 1]])


@pytest.mark.parametrize(
    ("texts", "changed", "message"),
    [
        (["grinning face"], {}, "1 of 2 are not there, such as 'face with open mouth'"),
        (sorted(set(TEXTS)), {"pooled": None}, "`pooled` has 2 dimensions"),
        (sorted(set(TEXTS)), {"caption": torch.zeros(2, 3)}, "`caption` has 3 dimensions"),
        (sorted(set(TEXTS)), {"caption_mask": torch.ones(2, 9, dtype=torch.bool)}, "same K and L"),
        (sorted(set(TEXTS)), {"pooled": torch.tensor([[0.0], [torch.inf]])}, "that of 'grinning"),
        (sorted(set(TEXTS)), {"caption": torch.full((2, 3, 5), torch.nan)}, "infinity in 2"),
        (sorted(set(TEXTS)), {"caption_mask": torch.tensor([[0, -1e4]] * 2)}, "mask == 0"),
    ],
)
def test_embeddings_that_do_not_fit_are_named(tmp_path, texts, changed, message):
    path = tmp_path / "text.safetensors"
    embeddings(path, texts, **changed)
    with pytest.raises(DataError, match=message):
        encode(TEXTS, config(embeddings=str(path)))


@pytest.mark.parametrize("content", [None, b"", b"not safetensors"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "text.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"text\.safetensors"):
        encode(TEXTS, config(embeddings=str(path)))


def test_an_empty_caption_is_the_null_caption_whether_the_file_has_it_or_not(tmp_path):
    path = tmp_path / "text.safetensors"
    mask = torch.tensor([[True, True, False], [False, False, False]])
    embeddings(path, ["grinning face", "..."], caption_mask=mask)
    captions = encode(["grinning face", "", "..."], config(embeddings=str(path)))
    batch = captions.take(torch.tensor([0, 1, 2]))
    assert batch["caption_mask"].tolist() == [
        [True, True, False],
        [True, False, False],
        [True, False, False],
    ]
    assert batch["caption"][0].any() and not batch["caption"][1:].any()
