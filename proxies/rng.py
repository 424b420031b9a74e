"""Random streams as pure functions of a key, equal on every device and at every width."""

import hashlib

import torch


def stream_seed(*key: str | int) -> int:
    """Return the 63-bit seed of the stream of a key, such as ("noise", seed, step)."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*key: str | int) -> torch.Generator:
    """Return a new CPU generator at the start of the stream of a key."""
    return torch.Generator().manual_seed(stream_seed(*key))
