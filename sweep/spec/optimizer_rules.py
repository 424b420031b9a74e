"""Rules about the optimizer: which options it has, and what goes with it."""

import importlib.util
from collections.abc import Iterator, Mapping

import torch

from mutransfer.proxies.config import TrainConfig
from mutransfer.proxies.config.optimizer import OptimizerConfig
from mutransfer.proxies.errors import Fault
from mutransfer.sweep.spec.sections import Transfer
from mutransfer.sweep.spec.space import Constant, Distribution

PATH = ("train", "optimizer")
OF_MUON = ("adjust_lr_fn", "adamw_lr", "adamw_weight_decay")
WITH_MOMENTUM = ("momentum", "nesterov")


def options_are_the_optimizers(train: TrainConfig) -> Iterator[Fault]:
    """Only options that act are given."""
    options, default = train.optimizer, OptimizerConfig()
    for names, has_them in ((OF_MUON, ("muon",)), (WITH_MOMENTUM, ("sgd", "muon"))):
        for name in names:
            if options.name not in has_them and getattr(options, name) != getattr(default, name):
                rule = f"`{name}` is an option of {' and '.join(has_them)}"
                yield Fault((*PATH, name), rule, options.name, "remove it")


def optimizer_is_installed(train: TrainConfig) -> Iterator[Fault]:
    """The optimizer exists here."""
    name = train.optimizer.name
    if name == "lion" and importlib.util.find_spec("lion_pytorch") is None:
        rule = "the optimizer lion needs the package lion-pytorch"
        yield Fault(PATH, rule, "not installed", "pip install 'mutransfer[lion]'")
    if name == "muon" and not hasattr(torch.optim, "Muon"):
        rule = "the optimizer muon is torch.optim.Muon, of torch 2.9 and newer"
        yield Fault(PATH, rule, f"torch {torch.__version__}", "update torch")


def adam_has_no_weight_decay(
    train: TrainConfig, parameters: Mapping[str, Distribution]
) -> Iterator[Fault]:
    """Adam's coupled weight decay does not scale with width (Tensor Programs V, B.3)."""
    decay = parameters.get("weight_decay")
    is_zero = decay is None or (isinstance(decay, Constant) and decay.value == 0)
    if train.optimizer.name == "adam" and not is_zero:
        rule = "Adam adds weight decay to the gradient and divides both by its size: none with it"
        yield Fault(("parameters", "weight_decay"), rule, "adam", "take adamw, or remove it")


def adamw_lr_is_given_once(
    train: TrainConfig, parameters: Mapping[str, Distribution]
) -> Iterator[Fault]:
    """The base LR of AdamW's part is an HP or an option of `muon`, and there is such a part."""
    if "adamw_lr" not in parameters:
        return
    path, options = ("parameters", "adamw_lr"), train.optimizer
    if options.name != "muon":
        rule = "`adamw_lr` is the base LR of what trains with AdamW under muon"
        yield Fault(path, rule, f"the optimizer {options.name}", "remove it; its LR is `lr`")
    elif options.adamw_lr is not None:
        rule = "`adamw_lr` is an HP or an option of the optimizer, not both"
        remedy = "remove it under train.optimizer to search it, or here to hold it fixed"
        yield Fault(path, rule, f"train.optimizer.adamw_lr {options.adamw_lr:g} too", remedy)


def scaling_is_for_adam(train: TrainConfig, transfer: Transfer) -> Iterator[Fault]:
    """The rules for batch size, steps and depth are those of Adam and AdamW."""
    name = train.optimizer.name
    if transfer.rule is not None and name not in ("adamw", "adam"):
        rule = f"the rule {transfer.rule.kind} is for Adam and AdamW"
        yield Fault(("transfer", "rule"), rule, name, "set `rule: none`, or take adamw")
