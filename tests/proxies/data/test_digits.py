"""The digits: their shapes, and a validation set that is fixed and stratified."""

import torch

from mutransfer.proxies.config.data import DigitsConfig
from mutransfer.proxies.data import digits
from tests.proxies.data.digit_feeds import DIGITS, TRAINING, key_of


def test_shapes_types_and_range():
    batch = DIGITS.batch(0, 0, 32)
    assert batch["image"].shape == (32, 1, 8, 8) and batch["image"].dtype == torch.float32
    assert batch["label"].shape == (32,) and batch["label"].dtype == torch.int64
    assert batch["image"].min() == -1 and batch["image"].max() == 1
    assert (DIGITS.info.shape, DIGITS.info.n_classes) == ((1, 8, 8), 10)
    assert DIGITS.null(3)["label"].tolist() == [10, 10, 10]


def test_validation_is_fixed_stratified_apart_from_training_and_labelled():
    part, again = DIGITS.validation(), digits.load(DigitsConfig(label_dropout=0.5)).validation()
    assert torch.equal(part["image"], again["image"])
    counts = part["label"].bincount()
    of_all = counts + TRAINING["label"].bincount()
    assert len(counts) == 10 and counts.sum() == 360
    assert (counts - 0.2 * of_all).abs().max() < 1
    training = {key_of(image) for image in TRAINING["image"]}
    # The images are distinct in this data set but for a handful of true duplicates.
    assert sum(key_of(image) in training for image in part["image"]) <= 2
