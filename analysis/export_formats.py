"""The groups of best.yaml for other trainers: patterns of names with their own values, as text.

A trainer that reads them needs no plan and no package of ours: `json` is a plain list, `hydra` are
nodes for `hydra.utils.instantiate`, `torchtitan` the arguments of its `ParamGroupConfig`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from mutransfer.analysis.best import BestError
from mutransfer.analysis.export import dump

Format = Literal["yaml", "torchtitan", "hydra", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
FILES: Mapping[Format, str] = {
    "yaml": "best.yaml",
    "torchtitan": "best.torchtitan.json",
    "hydra": "best.hydra.yaml",
    "json": "best.json",
}
TORCH_CLASSES = {
    "adamw": "torch.optim.AdamW",
    "adam": "torch.optim.Adam",
    "sgd": "torch.optim.SGD",
    "muon": "torch.optim.Muon",
    "lion": "lion_pytorch.Lion",
}
# torchtitan's own names of the optimizers that it has.
TORCHTITAN_CLASSES = {"adamw": "AdamW", "adam": "Adam", "muon": "Muon"}
# Of `optimizer` in best.yaml, the arguments of the constructor by algorithm.
ARGUMENTS = {
    "adamw": ("betas",),
    "adam": ("betas",),
    "lion": ("betas",),
    "sgd": ("momentum", "nesterov"),
    "muon": ("momentum", "nesterov", "adjust_lr_fn"),
}
HAS_EPS = ("adamw", "adam")
# What stands above the groups: enough to judge the file, and what no group says.
HEAD = (
    "format",
    "verdict",
    "verdict_text",
    "study",
    "width",
    "base_width",
    "axis",
    "hps",
    "valid_for",
)


def text(best: Mapping[str, Any], format_: Format) -> str:
    """Return the content of best.yaml in a format.

    Raises:
        BestError: a number is not finite, or torchtitan has no such optimizer.
    """
    if format_ == "yaml":
        return dump(best)
    groups = param_groups(best)
    head = {key: best[key] for key in HEAD} | {"residual_mult": best["plan"]["residual_mult"]}
    if format_ == "hydra":
        return dump({**head, "optimizers": _hydra_nodes(best, groups), "param_groups": groups})
    if format_ == "torchtitan":
        groups = [_torchtitan_group(best, group) for group in groups]
    return json.dumps({**head, "param_groups": groups}, indent=1, allow_nan=False) + "\n"


def param_groups(best: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the groups of a best.yaml by pattern, each name in exactly one.

    Returns:
        Groups with name (the role), algorithm, pattern (`re.fullmatch` on a parameter's name,
        without wrappers' parts such as `_orig_mod.`), lr and weight_decay, multiplied out, eps
        where the algorithm has one and it is known, init_factor (on the module's own draws; null:
        scale them to the std `init_std`), init_std (null: keep the draws, times init_factor),
        input_mult (on the input of the layer) and grad_mult (divide the gradient by it for a
        global clip norm).
    """
    members: dict[str, list[str]] = {}
    values: dict[str, dict[str, Any]] = {}
    for name, row in best["plan"]["params"].items():
        group = _values(best, row)
        key = json.dumps(group)
        values[key] = group
        members.setdefault(key, []).append(name)
    every = list(best["plan"]["params"])
    return [{**values[key], "pattern": pattern(names, every)} for key, names in members.items()]


def _values(best: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one tensor, by its row of the plan."""
    algorithm = row.get("algorithm", "adamw")
    lr, decay = base_values(best["hps"], best["plan"], best["optimizer"], algorithm)
    eps = _option(best, "eps")
    is_drawn, own = row["init_std"] is not None, row.get("own_std")
    known = row["init_std"] / own if is_drawn and own else None
    return {
        "name": row["role"],
        "algorithm": algorithm,
        "lr": lr * row["lr_mult"],
        "lr_mult": row["lr_mult"],
        "weight_decay": decay * row["wd_mult"] if row["decay"] else 0.0,
        **({} if eps is None or algorithm not in HAS_EPS else {"eps": eps * row["eps_mult"]}),
        "init_factor": known if is_drawn else row["init_mult"],
        "init_std": row["init_std"],
        "input_mult": row["input_mult"],
        "grad_mult": row["grad_mult"],
    }


def base_values(
    hps: Mapping[str, Any], plan: Mapping[str, Any], optimizer: Any, algorithm: str
) -> tuple[float, float]:
    """Return the base LR and base weight decay of what trains with an algorithm.

    As `mup.param_groups`: under `muon` AdamW's part may have its own, and independent decay is over
    the base LR.

    Args:
        hps: Base HPs.
        plan: The plan, whose optimizer has the rule.
        optimizer: What is known of the optimizer: `optimizer` of best.yaml.
        algorithm: Of the tensor's row.
    """
    rule = plan.get("optimizer") or {}
    lr, decay = hps["lr"], hps.get("weight_decay") or 0.0
    if rule.get("name") == "muon" and algorithm == "adamw":
        known = optimizer if isinstance(optimizer, Mapping) else {}
        own_lr, own_decay = known.get("adamw_lr"), known.get("adamw_weight_decay")
        lr = next(x for x in (hps.get("adamw_lr"), own_lr, lr) if x is not None)
        decay = decay if own_decay is None else own_decay
    return lr, decay / lr if rule.get("decay") == "independent" else decay


def _option(best: Mapping[str, Any], name: str) -> Any:
    """An entry of `optimizer`, or of its rule in the plan; None where it is unknown."""
    optimizer = best["optimizer"] if isinstance(best["optimizer"], Mapping) else {}
    return optimizer.get(name, (best["plan"].get("optimizer") or {}).get(name))


def _hydra_nodes(
    best: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """A node for each algorithm, to be called with its groups."""
    return {
        algorithm: {
            "_target_": TORCH_CLASSES[algorithm],
            "_partial_": True,
            "lr": base_values(best["hps"], best["plan"], best["optimizer"], algorithm)[0],
            **_arguments(best, algorithm),
        }
        for algorithm in dict.fromkeys(group["algorithm"] for group in groups)
    }


def _torchtitan_group(best: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of torchtitan's ParamGroupConfig, whose pattern is searched for."""
    algorithm = group["algorithm"]
    if algorithm not in TORCHTITAN_CLASSES:
        raise BestError(
            f"--format torchtitan: torchtitan has {', '.join(TORCHTITAN_CLASSES.values())}; got a "
            f"study with {algorithm}; export it as json"
        )
    kwargs = {key: group[key] for key in ("lr", "weight_decay", "eps") if key in group}
    # Names in torchtitan have the parts of wrappers, which begin with an underscore.
    tolerant = group["pattern"].replace(r"\.", r"\.(?:_\w+\.)*")
    return {
        "pattern": rf"^(?:_\w+\.)*(?:{tolerant})$",
        "optimizer_name": TORCHTITAN_CLASSES[algorithm],
        "optimizer_kwargs": kwargs | _arguments(best, algorithm),
    }


def _arguments(best: Mapping[str, Any], algorithm: str) -> dict[str, Any]:
    """The arguments of an optimizer's constructor that are equal in all groups, as far as known."""
    options = {name: _option(best, name) for name in ARGUMENTS[algorithm]}
    return {name: value for name, value in options.items() if value is not None}


def pattern(names: Sequence[str], every: Iterable[str]) -> str:
    r"""Return a regular expression that fully matches `names`, and no other name of `every`.

    Numbers in names become `\d+` where all names that then match are among them.
    """
    others = set(every) - set(names)
    parts: dict[str, None] = {}
    for name in names:
        words = [r"\d+" if word.isdecimal() else re.escape(word) for word in name.split(".")]
        general = r"\.".join(words)
        is_safe = not any(re.fullmatch(general, other) for other in others)
        parts[general if is_safe else re.escape(name)] = None
    return "|".join(parts)
