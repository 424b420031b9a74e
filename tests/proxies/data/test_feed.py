"""Batches are functions of (seed, step), in epochs, with conditions dropped; the split is fixed."""

import torch

from mutransfer.proxies.config.data import DigitsConfig
from mutransfer.proxies.data import digits
from mutransfer.proxies.data.feed import digest, stratified
from tests.proxies.data.captioned_images import feed
from tests.proxies.data.digit_feeds import DIGITS, FULL, N_TRAIN, TRAINING, key_of


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


def test_the_fingerprint_is_that_of_the_content():
    assert DIGITS.fingerprint == FULL.fingerprint and len(DIGITS.fingerprint) == 16
    image = TRAINING["image"]
    assert digest(image, "a") == digest(image.clone(), "a")
    others = {digest(image + 0.01, "a"), digest(image.double(), "a"), digest(image, "b")}
    assert len(others | {digest(image, "a"), digest(image.flatten(1), "a")}) == 5


def test_label_and_caption_vanish_together_at_equal_rates():
    both = feed(caption_dropout=0.3, label_dropout=0.3)
    batch, null = both.batch(0, 0, 1000), both.null(1000)
    no_label = batch["label"] == both.info.n_classes
    no_caption = (batch["pooled"] == 0).all(dim=1)
    assert torch.equal(no_label, no_caption)
    assert abs(no_label.float().mean() - 0.3) < 4 * (0.3 * 0.7 / 1000) ** 0.5
    for name, part in null.items():
        assert torch.equal(batch[name][no_label], part[no_label])
    captions_only = feed(caption_dropout=0.3, label_dropout=0.0)
    alone = captions_only.batch(0, 0, 1000)
    assert (alone["label"] < both.info.n_classes).all()
    assert torch.equal(alone["pooled"], batch["pooled"])


def test_a_softmax_over_the_null_caption_is_a_number():
    null = feed().null(3)
    assert null["caption_mask"].sum(dim=1).tolist() == [1, 1, 1]
    logits = torch.zeros(3, 12).masked_fill(~null["caption_mask"], -torch.inf)
    assert logits.softmax(dim=1).isfinite().all()
    none = logits.masked_fill(torch.ones(3, 12, dtype=torch.bool), -torch.inf)
    assert not none.softmax(dim=1).isfinite().any()


def test_the_split_has_every_class_on_both_sides_and_every_sample_once():
    order = torch.randperm(111, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0] + 9 * [1] + 100 * [2])[order]
    train, validation = stratified(labels)
    assert torch.cat([train, validation]).sort().values.tolist() == list(range(111))
    assert labels[validation].bincount().tolist() == [1, 2, 20]
    assert torch.equal(validation, stratified(labels)[1])
    # The control: samples are drawn within a class, not taken from its start.
    of_last = (labels == 2).nonzero().squeeze(1)
    assert not torch.equal(validation[labels[validation] == 2], of_last[:20])


def test_a_sample_is_described_by_its_text_or_else_by_its_class():
    assert DIGITS.validation_texts()[:2] == [f"class {k}" for k in DIGITS.validation()["label"][:2]]
    fed = feed()
    texts, labels = fed.validation_texts(), fed.validation()["label"].tolist()
    assert [text.split()[1] for text in texts] == [("red", "green", "blue")[k] for k in labels]
