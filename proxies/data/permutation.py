"""Pseudo-random permutations of sample numbers, evaluated at any position on demand."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mutransfer.proxies.rng import generator, stream_seed

# A table takes 8 bytes per number and process: 32 MB here, 6 GB for the 800 million images of a
# large text-image set. Longer permutations are computed entry by entry.
MAX_TABLE = 1 << 22
ROUNDS = 6


class Permutation:
    """The numbers 0 … n - 1 in an order given by a key; each position is read independently.

    Up to `MAX_TABLE` numbers it is a table of `torch.randperm`. Beyond, it is a Feistel network
    over the next even power of two, iterated until the number is below n (Black and Rogaway 2002,
    "Ciphers with arbitrary finite domains"): a bijection for any round function.
    """

    def __init__(self, n: int, *key: str | int, skip: int = 0) -> None:
        """Take the length, the key, and how many of the first numbers to leave out."""
        self._n, self._key, self._skip = n, key, skip

    def __len__(self) -> int:
        return self._n - self._skip

    def __getitem__(self, positions: Tensor) -> Tensor:
        """Return the numbers at positions 0 ≤ p < len, (k,) int64."""
        at = positions + self._skip
        if self._n <= MAX_TABLE:
            return _table(self._n, self._key)[at]
        return torch.from_numpy(_feistel(at.numpy(), self._n, self._key))


@lru_cache(maxsize=8)
def _table(n: int, key: tuple[str | int, ...]) -> Tensor:
    return torch.randperm(n, generator=generator(*key))


def _feistel(positions: np.ndarray, n: int, key: tuple[str | int, ...]) -> np.ndarray:
    half = np.uint64(-(-(n - 1).bit_length() // 2))
    keys = [np.uint64(stream_seed(*key, "round", number)) for number in range(ROUNDS)]
    numbers = _shuffled(positions.astype(np.uint64), half, keys)
    while (outside := numbers >= n).any():
        numbers[outside] = _shuffled(numbers[outside], half, keys)
    return numbers.astype(np.int64)


def _shuffled(numbers: np.ndarray, half: np.uint64, keys: list[np.uint64]) -> np.ndarray:
    """One pass of a balanced Feistel network over 2 · half bits."""
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = numbers >> half, numbers & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << half) | right


def _mixed(words: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
