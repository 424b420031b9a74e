"""Values that nobody expects, and random changes of trees of data."""

import copy
import random
from collections.abc import Iterator
from typing import Any

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), 10**30,
    2**63, "", " ", "x", "1", "1e400", "2^-10", "nan", "null", "[31m", "[bold]", "../../etc",
    "𝛍", "a" * 5000, [], {}, [None], [1, 1], [[]], {"a": 1}, {"": None}, [3, 2, 1], -(2**40),
)  # fmt: skip


def nasty(rng: random.Random) -> Any:
    """One of them, copied."""
    return copy.deepcopy(rng.choice(NASTY))


def paths(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all entries of a tree."""
    if not isinstance(tree, dict | list):
        return
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield (*at, key)
        yield from paths(value, (*at, key))


def mutated(tree: Any, rng: random.Random, n: int) -> Any:
    """A copy with ``n`` entries replaced, removed, doubled or renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(n):
        known = list(paths(tree))
        if not known:
            return tree
        *above, key = rng.choice(known)
        parent = tree
        for step in above:
            parent = parent[step]
        kind = rng.choice(("replace", "replace", "scale", "remove", "rename"))
        value = parent[key]
        if kind == "remove":
            del parent[key]
        elif kind == "rename" and isinstance(parent, dict):
            parent[f"{key}{rng.choice('sx_')}"] = parent.pop(key)
        elif kind == "scale" and type(value) in (int, float):
            parent[key] = value * rng.choice((2, 0.5, -1, 1000, 1e9))
        else:
            parent[key] = nasty(rng)
    return tree
