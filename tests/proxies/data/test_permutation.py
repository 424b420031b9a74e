"""Permutations of sample numbers, with a table and without."""

import pytest
import torch

from mutransfer.proxies.data import permutation
from mutransfer.proxies.data.permutation import Permutation
from mutransfer.proxies.rng import generator


@pytest.fixture
def no_table(monkeypatch):
    monkeypatch.setattr(permutation, "MAX_TABLE", 0)


@pytest.mark.parametrize("n", [1, 2, 3, 17, 255, 256, 257, 10_007])
def test_every_number_comes_once_without_a_table(no_table, n):
    numbers = Permutation(n, "order", 3)[torch.arange(n)]
    assert torch.equal(numbers.sort().values, torch.arange(n))


def test_the_key_names_the_order(no_table):
    positions = torch.arange(1000)
    first = Permutation(1000, "epoch", 0, 1)[positions]
    assert torch.equal(first, Permutation(1000, "epoch", 0, 1)[positions])
    for key in (("epoch", 0, 2), ("epoch", 1, 1)):
        # Two unrelated orders agree at about one position in all.
        assert (Permutation(1000, *key)[positions] == first).sum() < 8


def test_without_a_table_an_order_is_as_mixed_as_one_that_is_drawn(no_table):
    n = 20_000
    drawn = torch.randperm(n, generator=generator("drawn"))
    mixed = Permutation(n, "mixed")[torch.arange(n)]
    for order in (drawn, mixed):
        x = torch.stack([order.double(), torch.arange(n).double()])
        assert abs(torch.corrcoef(x)[0, 1]) < 5 / n**0.5  # position and number
        steps = order.diff().double()
        assert abs(steps.abs().mean() * 3 / n - 1) < 0.03  # mean distance of two uniform draws
        # Each tenth of the positions has its share of each tenth of the numbers.
        counts = torch.histogramdd(x.T.contiguous(), bins=[10, 10]).hist
        chi2 = ((counts - n / 100) ** 2 / (n / 100)).sum()
        assert 40 < chi2 < 130  # 81 degrees of freedom
    plain = torch.arange(n)
    assert plain.diff().double().abs().mean() * 3 / n < 0.01  # what is not mixed is seen


def test_skipping_leaves_out_the_first_numbers():
    complete = Permutation(50, "split")[torch.arange(50)]
    skipped = Permutation(50, "split", skip=8)
    assert len(skipped) == 42
    assert torch.equal(skipped[torch.arange(42)], complete[8:])


def test_a_billion_numbers_need_no_table():
    n = 10**9
    some = Permutation(n, "large")[torch.tensor([0, 1, 2, n - 1])]
    assert len(some.unique()) == 4 and some.min() >= 0 and some.max() < n
