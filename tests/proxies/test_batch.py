"""The parts of a batch."""

import torch

from mutransfer.proxies.batch import DataInfo, condition

FULL = DataInfo(shape=(3, 8, 8), n_classes=10, caption=(5, 6), pooled=7, feature=(4, 9))


def test_zeros_have_the_declared_shapes_and_types():
    batch = FULL.zeros(2)
    assert {name: tuple(part.shape) for name, part in batch.items()} == {
        "image": (2, 3, 8, 8), "label": (2,), "caption": (2, 5, 6), "caption_mask": (2, 5),
        "pooled": (2, 7), "feature": (2, 4, 9),
    }  # fmt: skip
    assert batch["label"].dtype == torch.int64 and batch["caption_mask"].dtype == torch.bool
    assert DataInfo(shape=(1, 8, 8), n_classes=2).zeros(2).keys() == {"image", "label"}


def test_a_condition_is_what_a_model_is_given_beside_the_image():
    assert condition(FULL.zeros(1)).keys() == {"label", "caption", "caption_mask", "pooled"}
