"""The user's own data, behind the interface of `load.Data`."""

from typing import Protocol

import torch
from torch import Tensor

from mutransfer.proxies import user_code
from mutransfer.proxies.batch import UNKNOWN, Condition
from mutransfer.proxies.config.data import CustomDataConfig
from mutransfer.proxies.data.findings import Findings
from mutransfer.proxies.errors import DataError, Fault

AT = ("data", "build")


class UserData(Protocol):
    """The return value of `build(**args)` of a custom data source.

    Attributes:
        fingerprint: A name of the content; part of every trial's identity.
    """

    fingerprint: str

    def batch(self, seed: int, step: int, size: int) -> dict[str, Tensor]:
        """Return the batch of a step: tensors of `size` samples, equal for equal arguments."""

    def validation(self) -> dict[str, Tensor]:
        """Return the whole validation set, always the same."""


class CustomData:
    """The user's data as a `load.Data`; only their loss knows the parts of a batch."""

    info = UNKNOWN
    findings = Findings()

    def __init__(self, user: UserData) -> None:
        self._user = user
        self.fingerprint = str(user.fingerprint)
        self.batch = user.batch
        self.validation = user.validation

    def validation_texts(self) -> list[str]:
        """Return no texts: samples are not shown."""
        return []

    def null(self, size: int) -> Condition:
        """Return an empty condition: only the user's loss knows the parts."""
        return {}


def load(config: CustomDataConfig) -> CustomData:
    """Return the user's data, checked once.

    Raises:
        DataError: they cannot be built, or break a rule.
        ConfigError: there is no such function.
    """
    build = user_code.function(config.build)
    try:
        user = build(**config.args)
    except user_code.USER_ERRORS as error:
        rule, got = "it builds the data without error", f"{type(error).__name__}: {error}"
        raise DataError([Fault(AT, rule, got, f"correct {config.build}")]) from error
    if faults := _faults(user, config.build):
        raise DataError(faults)
    return CustomData(user)


def _faults(user: UserData, name: str) -> list[Fault]:
    missing = [n for n in ("batch", "validation", "fingerprint") if not hasattr(user, n)]
    if missing:
        rule = "data have batch(seed, step, size), validation() and fingerprint"
        return [Fault(AT, rule, f"no {', '.join(missing)}", f"add them to what {name} returns")]
    try:
        pairs = (
            ("batch(0, 1, 4)", user.batch(0, 1, 4), user.batch(0, 1, 4)),
            ("batch(3, 20, 4)", user.batch(3, 20, 4), user.batch(3, 20, 4)),
            ("validation()", user.validation(), user.validation()),
        )
    except user_code.USER_ERRORS as error:
        rule = "batch(0, 1, 4) and validation() return tensors by name"
        got = f"{type(error).__name__}: {error}"
        return [Fault(AT, rule, got, f"correct what {name} returns")]
    unequal = [f for call, first, second in pairs for f in _pair_faults(call, first, second)]
    faults = unequal[:1] or _size_faults(pairs[0][1]) or _validation_faults(pairs[-1][1])
    if not faults and str(user.fingerprint) != str(user.fingerprint):
        rule, remedy = "the fingerprint names the content: always the same", "hash the content"
        return [Fault(AT, rule, "two different ones", remedy)]
    return faults


def _pair_faults(call: str, first: object, second: object) -> list[Fault]:
    for part in (first, second):
        is_dict = isinstance(part, dict) and part
        if not is_dict or not all(isinstance(v, Tensor) for v in part.values()):  # type: ignore[attr-defined]
            rule, got = f"{call} returns a dict of tensors", type(part).__name__
            return [Fault(AT, rule, got, "return {'name': tensor, …}")]
    assert isinstance(first, dict) and isinstance(second, dict), "checked above"
    differing = [n for n in first if n not in second or not _equal(first[n], second[n])]
    if differing:
        rule = f"{call} is the same at every call, since trials of all widths must see the same"
        got = f"another {', '.join(differing)}"
        remedy = "draw from a generator seeded by the arguments"
        return [Fault(AT, rule, got, remedy)]
    return []


def _equal(first: Tensor, second: Tensor) -> bool:
    is_alike = first.shape == second.shape and first.dtype == second.dtype
    return is_alike and bool(torch.equal(first.nan_to_num(), second.nan_to_num()))


def _size_faults(batch: dict[str, Tensor]) -> list[Fault]:
    lengths = {name: len(part) if part.ndim else 0 for name, part in batch.items()}
    if set(lengths.values()) == {4}:
        return []
    rule = "batch(seed, step, size) has `size` samples along axis 0 of every tensor"
    return [Fault(AT, rule, f"{lengths} for size 4", "return whole batches")]


def _validation_faults(validation: dict[str, Tensor]) -> list[Fault]:
    lengths = {name: len(part) if part.ndim else 0 for name, part in validation.items()}
    if len(set(lengths.values())) == 1 and min(lengths.values()) > 0:
        return []
    rule = "validation() has samples, as many in every tensor, along axis 0"
    return [Fault(AT, rule, str(lengths), "return the whole set")]
