"""Captions become tokens by a random embedding per word."""

import pytest
import torch

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data.captions import RandomWords, encode
from mutransfer.proxies.errors import DataError

TEXTS = ["grinning face", "face with open mouth", "grinning face"]


def config(**options):
    return OpenmojiConfig(caption_length=4, embedding_dim=8, **options)


def test_a_word_has_the_same_features_at_any_position_and_in_any_data():
    captions = encode(TEXTS, config())
    batch = captions.take(torch.tensor([0, 1, 2]))
    grinning_face, face_with = batch["caption"][0], batch["caption"][1]
    assert torch.equal(grinning_face[1], face_with[0])
    assert not torch.equal(grinning_face[0], face_with[0])
    assert torch.equal(batch["caption"][0], batch["caption"][2])
    alone = RandomWords(["face"], dim=8, length=4, seed=0)(["face"])[0]
    assert torch.equal(alone[0, 0], face_with[0])
    other_seed = encode(TEXTS, config(embedding_seed=1)).take(torch.tensor([0]))["caption"]
    assert not torch.equal(other_seed[0], grinning_face)


def test_words_outside_the_vocabulary_share_one_row():
    encoder = RandomWords(["red", "cat"], dim=8, length=4, seed=0)
    tokens, _, _ = encoder(["red dog", "red horse", "red cat"])
    assert torch.equal(tokens[0], tokens[1])
    assert not torch.equal(tokens[0, 1], tokens[2, 1])
    assert not torch.equal(tokens[0, 1], tokens[0, 0])


def test_pooled_is_the_mean_over_the_words_and_not_over_the_padding():
    batch = encode(TEXTS, config()).take(torch.tensor([0]))
    assert batch["caption_mask"].tolist() == [[True, True, False, False]]
    assert torch.allclose(batch["pooled"][0], batch["caption"][0, :2].mean(dim=0))
    assert not batch["caption"][0, 2:].any()


def test_features_of_words_are_standard_normal():
    vocabulary = [f"word{i}" for i in range(400)]
    tokens, _, _ = RandomWords(vocabulary, dim=64, length=1, seed=0)(vocabulary)
    assert abs(tokens.mean()) < 0.03 and abs(tokens.std() - 1) < 0.03


def test_a_caption_longer_than_the_limit_is_a_fault_unless_it_may_be_cut():
    texts = [*TEXTS, "face with one large and one small eye"]
    with pytest.raises(DataError) as caught:
        encode(texts, config())
    (fault,) = caught.value.faults
    assert fault.path == ("data", "caption_length")
    assert "1 of 4 have more, the longest 8" in fault.got and "caption_length: 8" in fault.remedy
    cut = encode(texts, config(truncate=True)).take(torch.tensor([3]))
    assert cut["caption_mask"].all()


@pytest.mark.parametrize("empty", ["", "  ", "…", "?!"])
def test_a_caption_without_words_is_the_null_caption_as_in_latents(empty):
    batch = encode(["a", "b", empty], config()).take(torch.tensor([0, 2]))
    assert batch["caption_mask"].tolist() == [[True, False, False, False]] * 2
    assert batch["caption"][0].any() and not batch["caption"][1].any()
    with pytest.raises(DataError, match="none of 2 has, such as"):
        encode([empty, empty], config())


def test_the_fingerprint_is_of_texts_and_embedding():
    options = [config(), config(embedding_seed=1), OpenmojiConfig(caption_length=5)]
    prints = {encode(TEXTS, each).fingerprint for each in options}
    prints.add(encode([*TEXTS, "eye"], config()).fingerprint)
    assert len(prints) == 4
    assert encode(TEXTS, config()).fingerprint == encode(list(TEXTS), config()).fingerprint
