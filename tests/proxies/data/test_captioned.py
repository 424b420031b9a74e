"""Images in memory: the parts of a batch belong to one sample, and absent parts are absent."""

import torch

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data.captions import encode
from tests.proxies.data.captioned_images import feed, images, labels, texts

N = 60
FEATURES = {"features": "random_conv", "feature_side": 4, "feature_dim": 8}


def test_a_batch_has_the_features_of_its_images():
    fed = feed(**FEATURES)
    assert fed.info.feature == (16, 8)
    batch, large = fed.batch(0, 3, 32), fed.batch(0, 3, 64)
    assert batch["feature"].shape == (32, 16, 8)
    again = fed.batch(0, 3, 32)
    assert torch.equal(batch["feature"], again["feature"]) and len(large["feature"]) == 64
    assert not torch.equal(batch["feature"], fed.batch(0, 4, 32)["feature"])


def test_image_label_caption_and_feature_are_of_the_same_sample():
    fed, rows = feed(N, **FEATURES), torch.tensor([7, 0, 59])
    taken = fed.take(rows)
    captions = encode(texts(N), OpenmojiConfig())
    expected = {
        "image": images(N)[rows].float() / 127.5 - 1,
        "label": labels(N)[rows],
        **captions.take(rows),
        "feature": feed(N, **FEATURES).take(torch.arange(N))["feature"][rows],
    }
    assert taken.keys() == expected.keys() == fed.info.zeros(3).keys()
    for name, part in expected.items():
        assert torch.equal(taken[name], part), name
        assert not torch.equal(fed.take(rows.roll(1))[name], part) or name == "caption_mask"
    for name, zeros in fed.info.zeros(3).items():
        assert (taken[name].shape, taken[name].dtype) == (zeros.shape, zeros.dtype)


def test_without_captions_and_features_there_are_no_such_parts_and_names_describe():
    fed = feed(N, has_captions=False)
    assert (fed.info.caption, fed.info.pooled, fed.info.feature) == (None, None, None)
    assert fed.batch(0, 0, 8).keys() == fed.null(8).keys() | {"image"} == {"image", "label"}
    assert all(name.endswith(".png") for name in fed.validation_texts())
    assert set(feed(N).validation_texts()) < set(texts(N))  # the control


def test_the_fingerprint_is_of_images_captions_and_features():
    changed = images(N)
    changed[3, 0, 0, 0] ^= 1
    first = feed(N).fingerprint
    assert feed(N, caption_dropout=0.5).fingerprint == first
    others = (feed(N, pixels=changed), feed(N, has_captions=False), feed(N, **FEATURES),
              feed(N, embedding_seed=1))  # fmt: skip
    assert len({first, *(other.fingerprint for other in others)}) == 5
