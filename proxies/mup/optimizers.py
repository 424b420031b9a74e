"""Which rule an optimizer follows: by the size of its update, known by the name of its class."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch

# What an optimizer makes of a gradient: entries of size one, the gradient itself, or singular
# values of one (2310.17813). The learning rates of all optimizers of a kind scale alike.
Kind = Literal["entrywise", "gradient", "orthogonal"]
Algorithm = Literal["adamw", "adam", "lion", "sgd", "muon"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
KIND_OF: Mapping[str, Kind] = {
    "adamw": "entrywise",
    "adam": "entrywise",
    "lion": "entrywise",
    "sgd": "gradient",
    "muon": "orthogonal",
}

# By a part of the class's name in lower case, the first match counts; None: there is no rule for
# it. Sources: the table of `rules`; docs/optimizers.md.
KIND_OF_CLASS: tuple[tuple[str, Kind | None], ...] = (
    ("muon", "orthogonal"),
    ("adafactor", None),
    ("adadelta", None),
    ("shampoo", None),
    ("soap", None),
    ("sophia", None),
    ("lamb", None),
    ("lars", None),
    ("lbfgs", None),
    ("rprop", None),
    ("adam", "entrywise"),
    ("adagrad", "entrywise"),
    ("rmsprop", "entrywise"),
    ("lion", "entrywise"),
    ("sgd", "gradient"),
)
# Their weight decay is added to the gradient, and so divided by its size.
COUPLED = ("Adam", "NAdam", "RAdam", "Adamax", "Adagrad", "RMSprop")


def fault_of_class(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> str | None:
    """Return why an optimizer must not have a group of `mup.param_groups`; None if it may."""
    algorithm, name = group["algorithm"], type(optimizer).__name__
    if getattr(optimizer, "has_group_algorithms", False):
        return None
    known = [kind for part, kind in KIND_OF_CLASS if part in name.lower()]
    if not known:
        return (
            f"{name} is no optimizer whose rule is known; the groups are for {algorithm}; derive "
            f"its class from that of an optimizer with one, or name it after it"
        )
    if known[0] is None:
        return f"there is no rule for {name}; take one of {', '.join(ALGORITHMS)}"
    if known[0] != KIND_OF[algorithm]:
        own = " or ".join(a for a in ALGORITHMS if KIND_OF[a] == known[0])
        return (
            f"the groups are for {algorithm}; got {name}, whose updates have another size; make "
            f'them for it: mup.param_groups(…, optimizer="{own}")'
        )
    is_coupled = name in COUPLED and not group.get("decoupled_weight_decay", False)
    if is_coupled and group.get("weight_decay", 0.0):
        return (
            f"{name} adds weight decay to the gradient and divides both by its size, so it does "
            "not scale with width (Tensor Programs V, appendix B.3); take AdamW, or no weight decay"
        )
    return None
