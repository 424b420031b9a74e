"""The user's own data are checked once, before any trial."""

import sys
from types import ModuleType

import pytest
import torch

from mutransfer.proxies.config.data import CustomDataConfig
from mutransfer.proxies.data.custom import load
from mutransfer.proxies.errors import DataError


class Sound:
    """Data that break no rule."""

    fingerprint = "sound"

    def batch(self, seed, step, size):
        rng = torch.Generator().manual_seed(1000 * seed + step)
        return {"x": torch.randn(size, 3, generator=rng)}

    def validation(self):
        return {"x": torch.zeros(5, 3)}


class Unseeded(Sound):
    def batch(self, seed, step, size):
        return {"x": torch.randn(size, 3)}


class WrongSize(Sound):
    def batch(self, seed, step, size):
        return {"x": torch.zeros(size + 1, 3)}


class NoValidation(Sound):
    def validation(self):
        return {"x": torch.zeros(0, 3)}


class NoDict(Sound):
    def validation(self):
        return torch.zeros(5, 3)


class Exits(Sound):
    def batch(self, seed, step, size):
        raise SystemExit(1)


class NewFingerprint(Sound):
    @property
    def fingerprint(self):
        return str(torch.rand(()).item())


def absent():
    return object()


def load_from(monkeypatch, build):
    module = ModuleType("own_data")
    module.build = build
    monkeypatch.setitem(sys.modules, "own_data", module)
    return load(CustomDataConfig(build="own_data:build"))


def test_correct_data_are_passed_through(monkeypatch):
    data = load_from(monkeypatch, Sound)
    assert data.fingerprint == "sound" and len(data.batch(0, 0, 4)["x"]) == 4


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (absent, "no batch, validation, fingerprint"),
        (Unseeded, "the same at every call"),
        (WrongSize, "`size` samples along axis 0"),
        (NoValidation, "has samples, as many in every tensor"),
        (NoDict, r"validation\(\) returns a dict of tensors"),
        (Exits, "got SystemExit"),
        (NewFingerprint, "two different ones"),
    ],
)
def test_each_broken_rule_is_named(monkeypatch, build, message):
    with pytest.raises(DataError, match=message):
        load_from(monkeypatch, build)
