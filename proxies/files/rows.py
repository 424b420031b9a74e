"""Samples of one part of a data set, read from its files on access."""

import io
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor

from mutransfer.proxies.errors import DataError, Fault

Read = Callable[[int], np.ndarray]


class Rows:
    """What is asked of a tensor (n, …) that is only indexed by its samples.

    Attributes:
        shape: (n, …), as the first sample has it.
        dtype: The number format, likewise.
    """

    ndim: int

    def __init__(self, name: str, n: int, read: Read) -> None:
        """Take the name of the part, the number of samples, and what reads one."""
        first = torch.from_numpy(np.array(read(0)))
        self._name, self._read = name, read
        self.shape = torch.Size([n, *first.shape])
        self.dtype, self.ndim = first.dtype, first.ndim + 1

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        """Return samples as a tensor.

        Raises:
            DataError: one of another shape than the first, or one that cannot be read.
        """
        rows: list[int] = (
            list(range(len(self))[index]) if isinstance(index, slice) else index.tolist()
        )
        found = torch.empty(len(rows), *self.shape[1:], dtype=self.dtype)
        for at, row in enumerate(rows):
            sample = np.array(self._read(row))
            if sample.shape != tuple(self.shape[1:]):
                rule = f"`{self._name}` is {list(self.shape[1:])} in every sample"
                got = f"{list(sample.shape)} in sample {row}"
                fault = Fault(("data", "path"), rule, got, "write it again, or leave it out")
                raise DataError([fault])
            found[at] = torch.from_numpy(sample)
        return found


def as_part(rows: Rows) -> Tensor:
    """Return rows under the type of a tensor; of a part, only what `Rows` has is asked."""
    return cast(Tensor, rows)


def npy(content: bytes, where: str) -> np.ndarray:
    """Return the array of a `.npy` file.

    Raises:
        DataError: it is torn, or holds pickled objects, which are not loaded.
    """
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        rule = "a .npy file of numbers"
        remedy = "write it again with numpy.save; pickled objects are not read"
        raise DataError([Fault(("data", "path"), rule, f"{where}: {error}", remedy)]) from None
