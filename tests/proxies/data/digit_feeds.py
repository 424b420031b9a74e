"""The digits as they are fed: with some labels dropped, and with all of them."""

from mutransfer.proxies import data
from mutransfer.proxies.config.data import DigitsConfig

DIGITS = data.load(DigitsConfig())
FULL = data.load(DigitsConfig(label_dropout=0.0))
N_TRAIN = 1437
TRAINING = FULL.batch(0, 0, N_TRAIN)  # one epoch


def key_of(image):
    return image.numpy().tobytes()
