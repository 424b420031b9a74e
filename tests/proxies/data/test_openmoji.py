"""Emoji from a font, with their names: real text-image input."""

import sys
import unicodedata

import pytest
import torch

from mutransfer.proxies import data
from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data import openmoji
from mutransfer.proxies.errors import DataError

CONFIG = OpenmojiConfig(caption_dropout=0.0, label_dropout=0.0)


N = 1463


@pytest.fixture(scope="module")
def emoji():
    return data.load(CONFIG)


@pytest.fixture(scope="module")
def every(emoji):
    """All emoji with their captions: validation first."""
    texts = emoji.validation_texts()
    training = emoji.batch(0, 0, N - len(texts))
    validation = emoji.validation()
    return {name: torch.cat([validation[name], training[name]]) for name in validation}


def names():
    """The captions in the order of the data."""
    return [unicodedata.name(chr(p)).lower() for p in openmoji.code_points(openmoji.font_path())]


def test_shapes_types_and_range(emoji, every):
    assert emoji.info.shape == (3, 16, 16) and emoji.info.caption == (12, 32)
    assert emoji.info.n_classes == 13 and emoji.info.pooled == 32
    assert every["image"].shape == (N, 3, 16, 16) and every["image"].dtype == torch.float32
    assert every["image"].min() == -1 and every["image"].max() == 1
    for name, zeros in emoji.info.zeros(N).items():
        assert (every[name].shape, every[name].dtype) == (zeros.shape, zeros.dtype)


def test_emoji_are_coloured_drawings_on_white_that_fit_their_square(every):
    image = every["image"]
    edge = torch.cat([image[:, :, 0], image[:, :, -1], image[..., 0], image[..., -1]], dim=2)
    assert (edge == 1).float().mean() > 0.95
    inked = (image < 0.9).any(dim=1).flatten(1).sum(dim=1)
    assert inked.min() >= 4 and inked.float().median() > 60
    coloured = (image.amax(dim=1) - image.amin(dim=1)).flatten(1).amax(dim=1) > 0.3
    assert coloured.float().mean() > 0.7
    assert len({row.numpy().tobytes() for row in image}) > 0.95 * N


def test_captions_are_unicode_names(emoji):
    texts = emoji.validation_texts()
    assert all(text == text.lower() and unicodedata.lookup(text) for text in texts)
    names = {
        unicodedata.name(chr(point)).lower() for point in openmoji.code_points(openmoji.font_path())
    }
    assert len(names) == N and set(texts) < names
    assert {"grinning face", "banknote with yen sign", "steam locomotive"} <= names


def test_the_data_are_the_same_on_every_python(emoji):
    oldest = (3, 11)
    named = {p for p in openmoji.NEWER if unicodedata.name(chr(p), "")}
    assert not named if sys.version_info[:2] == oldest else named


def test_validation_is_a_fifth_of_each_block(emoji, every):
    validation = emoji.validation()["label"].bincount()
    of_all = every["label"].bincount()
    assert of_all.sum() == N and of_all.min() >= openmoji.MIN_BLOCK
    assert (validation - 0.2 * of_all).abs().max() <= 0.5
    texts = emoji.validation_texts()
    assert len(texts) == len(set(texts)) == validation.sum()


def test_a_caption_belongs_to_its_image(emoji, every):
    for text, strongest in {"large red circle": 0, "large blue circle": 2}.items():
        caption = emoji.take(torch.tensor([names().index(text)]))["caption"]
        image = every["image"][(every["caption"] == caption).flatten(1).all(dim=1)]
        assert len(image) == 1
        assert image[0, :, 8, 8].argmax() == strongest


def test_both_sizes_show_the_same_emoji():
    large = data.load(OpenmojiConfig(size=32)).validation()["image"]
    small = data.load(CONFIG).validation()["image"]
    halved = torch.nn.functional.avg_pool2d(large, 2)
    assert (halved - small).abs().mean() < 0.05
    assert (halved - small.roll(1, 0)).abs().mean() > 0.3


def test_a_missing_package_is_one_message(monkeypatch):
    monkeypatch.setattr(openmoji, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"not installed.*pip install 'mutransfer\[openmoji\]'"):
        openmoji.load(CONFIG)


def test_a_missing_font_is_one_message(monkeypatch):
    monkeypatch.setattr(openmoji, "FONT", "openmoji/font/none.ttf")
    with pytest.raises(DataError, match=r"no file .*none\.ttf.*force-reinstall"):
        openmoji.load(CONFIG)


def test_a_font_without_flat_layers_is_one_message(monkeypatch, tmp_path):
    monkeypatch.setenv("MUTRANSFER_CACHE", str(tmp_path))
    monkeypatch.setattr(openmoji, "FONT", "openmoji/font/glyf_colr1.ttf")
    with pytest.raises(DataError, match="COLRv0"):
        openmoji.load(CONFIG)


def test_a_pillow_that_draws_no_colour_is_one_message():
    grey = openmoji.np.full((3, 16, 16), 200, openmoji.np.uint8)
    with pytest.raises(DataError, match="FreeType"):
        openmoji.check_colour(grey)


def test_emoji_are_rendered_once(emoji, monkeypatch):
    monkeypatch.setattr(openmoji, "_render", lambda *a: pytest.fail("rendered again"))
    assert openmoji.load(CONFIG).fingerprint == emoji.fingerprint
