"""The digits of scikit-learn: 1,797 images of 8×8, in ten classes."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.data import DigitsConfig
from mutransfer.proxies.data.feed import VALIDATION_FRAC, Feed, digest

_SPLIT_SEED = 0


def load(config: DigitsConfig) -> Feed:
    """Return the digits in [-1, 1], a fifth of each class for validation."""
    bunch = load_digits()
    images = torch.from_numpy((bunch.images[:, None] / 8 - 1).astype(np.float32))
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    train, validation = train_test_split(
        np.arange(len(labels)), test_size=VALIDATION_FRAC, stratify=labels, random_state=_SPLIT_SEED
    )
    return Feed(
        config,
        take=lambda rows: {"image": images[rows], "label": labels[rows]},
        train=torch.from_numpy(train),
        validation=torch.from_numpy(validation),
        info=DataInfo(shape=(1, 8, 8), n_classes=10),
        fingerprint=digest(images, labels),
    )
