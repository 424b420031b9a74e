"""The user's own module and loss: built, and checked before any trial."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mutransfer.proxies import user_code
from mutransfer.proxies.config.model import CustomConfig
from mutransfer.proxies.errors import ConfigError, Fault
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.roles import tensor_facts
from mutransfer.proxies.rng import generator, stream_seed

# Paths of faults in a configuration.
AT_BUILD, AT_LOSS = ("model", "build"), ("model", "loss")
N_SAMPLES = 4  # of a batch on which the loss is checked


def build(config: CustomConfig, width: int) -> nn.Module:
    """Return a new module of the user's, of a width.

    Raises:
        ConfigError: it cannot be built.
    """
    make = user_code.function(config.build)
    try:
        model = make(width)
    except user_code.USER_ERRORS as error:
        rule, got = f"it builds the width {width}", f"{type(error).__name__}: {error}"
        remedy = f"correct {config.build}"
        if "meta" in got:
            remedy += ": on torch's meta device tensors have shapes and no values, so read none"
        raise ConfigError(str(Fault(AT_BUILD, rule, got, remedy))) from error
    if not isinstance(model, nn.Module):
        rule, got = "it returns an nn.Module", type(model).__name__
        raise ConfigError(str(Fault(AT_BUILD, rule, got, f"correct {config.build}")))
    return model


def losses(
    config: CustomConfig, model: Callable[..., Any], batch: Mapping[str, Tensor], *key: str | int
) -> Tensor:
    """Return the user's loss of each sample, (B,), with random numbers of the stream of `key`."""
    sample_losses: Tensor = user_code.function(config.loss)(model, dict(batch), generator(*key))
    return sample_losses


def faults(
    config: CustomConfig, batches: Sequence[Mapping[str, Tensor]], widths: Sequence[int]
) -> list[Fault]:
    """Return the faults of the user's module and loss; empty if there are none.

    Args:
        config: The model section.
        batches: Samples of training and of validation.
        widths: Widths that are to be trained.
    """
    for name, path in (("build", AT_BUILD), ("loss", AT_LOSS)):
        try:
            user_code.function(getattr(config, name))
        except ConfigError as error:
            return [Fault(path, "a function that can be imported", str(error), "correct it")]
    try:
        if _is_shared(config):
            rule, got = "a new module at every call", "the same module or parameters twice"
            return [Fault(AT_BUILD, rule, got, "build it afresh; keep none")]
        for width in sorted({*widths, config.base_width}):
            facts = tensor_facts(
                lambda any_width: build(config, any_width),
                base_width=config.base_width,
                width=width,
                declared=config.roles,
            )
    except ConfigError as error:
        return [Fault(AT_BUILD, "a module of every width", str(error), "correct the module")]
    except PlanError as error:
        remedy = "correct the module, or declare `model.roles`"
        return [Fault(AT_BUILD, "every parameter has a role", str(error), remedy)]
    if not any(fact.role in ("input", "hidden", "output") for fact in facts):
        rule = "its argument is the width: weights of 2 × base_width are larger"
        return [Fault(AT_BUILD, rule, "the same shapes at both", "use the argument")]
    faults_of_batches = (_loss_faults(config, batch) for batch in batches)
    return next(filter(None, faults_of_batches), [])


def _is_shared(config: CustomConfig) -> bool:
    """Return whether two calls of the user's build share parameters."""
    with torch.device("meta"):
        first, second = (build(config, config.base_width) for _ in range(2))
    return bool({id(p) for p in first.parameters()} & {id(p) for p in second.parameters()})


def _loss_faults(config: CustomConfig, batch: Mapping[str, Tensor]) -> list[Fault]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed("model", 0))
        model = build(config, config.base_width)
        try:
            first, second = (losses(config, model, batch, "look") for _ in range(2))
        except user_code.USER_ERRORS as error:
            got = f"{type(error).__name__}: {error}"
            rule = "loss(model, batch, generator) ends without error"
            return [Fault(AT_LOSS, rule, got, f"correct {config.loss}")]
    n = len(next(iter(batch.values())))
    if not isinstance(first, Tensor) or tuple(first.shape) != (n,):
        got = str(tuple(first.shape)) if isinstance(first, Tensor) else type(first).__name__
        rule = f"one loss a sample, shape ({n},) for {n} samples"
        return [Fault(AT_LOSS, rule, got, "reduce over all axes but the first")]
    if not bool(torch.isfinite(first).all()):
        rule, values = "the loss is finite at the start", [f"{v:.3g}" for v in first.tolist()]
        return [Fault(AT_LOSS, rule, ", ".join(values), "look at init and scale")]
    if not torch.equal(first, second):
        rule = "equal for equal batch, weights and generator: pairs of trials share random numbers"
        got, remedy = "two values", "draw from the generator alone; set dropout to 0"
        return [Fault(AT_LOSS, rule, got, remedy)]
    if not first.requires_grad:
        return [Fault(AT_LOSS, "the loss has a gradient", "none", "do not detach it")]
    return []
