"""The digits: batches are functions of (seed, step), in epochs, with a fixed validation set."""

import torch

from mutransfer.proxies import data
from mutransfer.proxies.config.data import DigitsConfig
from mutransfer.proxies.data import digits
from mutransfer.proxies.data.feed import digest

DIGITS = data.load(DigitsConfig())


FULL = data.load(DigitsConfig(label_dropout=0.0))


N_TRAIN = 1437


TRAINING = FULL.batch(0, 0, N_TRAIN)  # one epoch


def key_of(image):
    return image.numpy().tobytes()


def test_shapes_types_and_range():
    batch = DIGITS.batch(0, 0, 32)
    assert batch["image"].shape == (32, 1, 8, 8) and batch["image"].dtype == torch.float32
    assert batch["label"].shape == (32,) and batch["label"].dtype == torch.int64
    assert batch["image"].min() == -1 and batch["image"].max() == 1
    assert (DIGITS.info.shape, DIGITS.info.n_classes) == ((1, 8, 8), 10)
    assert DIGITS.null(3)["label"].tolist() == [10, 10, 10]


def test_a_batch_is_a_function_of_seed_and_step():
    first = DIGITS.batch(3, 70, 32)
    torch.manual_seed(123)
    DIGITS.batch(3, 5, 32)
    again = digits.load(DigitsConfig()).batch(3, 70, 32)
    for name, part in first.items():
        assert torch.equal(part, again[name])
    for other in (DIGITS.batch(3, 71, 32), DIGITS.batch(4, 70, 32)):
        assert not torch.equal(other["image"], first["image"])


def test_an_epoch_has_every_image_once_though_batches_straddle_epochs():
    size = 100
    batches = [FULL.batch(0, step, size)["image"] for step in range(3 * N_TRAIN // size + 1)]
    row = torch.cat(batches)
    everything = {key_of(image) for image in TRAINING["image"]}
    epochs = [row[k * N_TRAIN : (k + 1) * N_TRAIN] for k in range(3)]
    for epoch in epochs:
        assert {key_of(image) for image in epoch} == everything
    assert not torch.equal(epochs[0], epochs[1])


def test_a_batch_may_be_larger_than_the_data():
    images = FULL.batch(0, 1, 2 * N_TRAIN)["image"]
    assert len(images) == 2 * N_TRAIN
    assert len({key_of(image) for image in images}) == len({key_of(i) for i in TRAINING["image"]})


def test_labels_are_dropped_at_the_given_rate_and_images_stay():
    dropped = torch.cat([DIGITS.batch(0, step, 100)["label"] for step in range(100)])
    complete = torch.cat([FULL.batch(0, step, 100)["label"] for step in range(100)])
    is_null = dropped == DIGITS.info.n_classes
    assert abs(is_null.float().mean() - 0.1) < 4 * (0.1 * 0.9 / 10_000) ** 0.5
    assert torch.equal(dropped[~is_null], complete[~is_null])
    assert not (complete == DIGITS.info.n_classes).any()


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


def test_the_fingerprint_is_that_of_the_content():
    assert DIGITS.fingerprint == FULL.fingerprint and len(DIGITS.fingerprint) == 16
    image = TRAINING["image"]
    assert digest(image, "a") == digest(image.clone(), "a")
    others = {digest(image + 0.01, "a"), digest(image.double(), "a"), digest(image, "b")}
    assert len(others | {digest(image, "a"), digest(image.flatten(1), "a")}) == 5
