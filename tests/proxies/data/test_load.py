"""The data set of a configuration: loaded once, with an identity that no path is part of."""

from mutransfer.proxies import data
from mutransfer.proxies.config.data import DigitsConfig, OpenmojiConfig
from tests.proxies.data.image_folder import config, write


def test_a_data_set_is_loaded_once_per_configuration():
    assert data.load(DigitsConfig()) is data.load(DigitsConfig())
    assert data.load(DigitsConfig()) is not data.load(DigitsConfig(label_dropout=0.2))


def test_the_source_names_the_data_set(tmp_path):
    assert data.info(DigitsConfig()).shape == (1, 8, 8)
    assert data.info(config(write(tmp_path))).shape == (3, 8, 8)
    assert data.is_present(config(tmp_path))


def test_identity_is_of_content_and_of_the_options_of_feeding_and_not_of_the_path(tmp_path):
    first, second = (config(write(tmp_path / name)) for name in ("a", "b"))
    assert first != second and data.identity(first) == data.identity(second)
    options = ({"label_dropout": 0.2}, {"caption_dropout": 0.2}, {"val_draws": 3})
    changed = [data.identity(config(tmp_path / "a", **option)) for option in options]
    for option, identity in zip(options, changed, strict=True):
        assert identity == {**data.identity(first), **option} != data.identity(first)


def test_a_changed_option_is_another_fingerprint_and_dropout_is_none(tmp_path):
    write(tmp_path, captions=True)
    base = data.identity(config(tmp_path))
    prints = {data.identity(config(tmp_path, **o))["fingerprint"] for o in (
        {"embedding_dim": 16}, {"embedding_seed": 1}, {"caption_length": 11},
        {"features": "random_conv"}, {"features": "random_conv", "feature_side": 4},
    )}  # fmt: skip
    assert len(prints | {base["fingerprint"]}) == 6
    free = data.identity(config(tmp_path, caption_dropout=0.5))
    assert free["fingerprint"] == base["fingerprint"] and free != base


def test_the_licence_is_named():
    text = data.attribution(OpenmojiConfig())
    assert "OpenMoji" in text and "CC BY-SA 4.0" in text
    assert data.attribution(DigitsConfig()) is None
