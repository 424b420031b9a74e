"""Pretrained models of diffusers and transformers, from safetensors; no code of theirs is run."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from mutransfer.proxies.data.feed import digest
from mutransfer.proxies.errors import DataError, Fault, first_few

EXTRA = "pip install 'mutransfer[encode]'"


def located(option: str, where: str) -> dict[str, str]:
    """Return the arguments of `from_pretrained` that say where a model is.

    A folder; else `ORG/NAME` on the Hugging Face Hub, or `ORG/NAME/SUBFOLDER`.

    Raises:
        DataError: a path that is no folder.
    """
    if Path(where).is_dir():
        return {"pretrained_model_name_or_path": where}
    parts = where.split("/")
    if where.startswith((".", "/", "~")) or not all(parts) or "\\" in where:
        raise DataError([_fault(option, where, "no such folder")])
    found = {"pretrained_model_name_or_path": "/".join(parts[:2])}
    return found | ({"subfolder": "/".join(parts[2:])} if parts[2:] else {})


def imported(option: str, package: str, load: Callable[[], Any]) -> Any:
    """Return what `load` imports.

    Raises:
        DataError: the package is absent or cannot be imported.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        return load()
    except (ImportError, RuntimeError) as error:
        rule = f"{package} can be imported"
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        remedy = f"{EXTRA}; a torchvision of another build than torch's is to be removed"
        raise DataError([Fault((option,), rule, str(cause), remedy)]) from None


def pretrained(option: str, where: str, model: Any, **kwargs: Any) -> Any:
    """Return a model in float32, in evaluation, with all its weights from safetensors.

    Raises:
        DataError: no such model, weights in another format than safetensors, or missing ones.
    """
    place = located(option, where)
    found, info = read(
        option,
        where,
        lambda: model.from_pretrained(
            **place, use_safetensors=True, output_loading_info=True, **kwargs
        ),
    )
    if missing := sorted(info["missing_keys"]):
        rule = f"the weights are those of a {model.__name__}"
        got = f"{len(missing)} are missing: {first_few(missing)}"
        raise DataError([Fault((option,), rule, got, "name a model of this kind")])
    return found.float().eval().requires_grad_(False)


def read(option: str, where: str, load: Callable[[], Any]) -> Any:
    """Return what `load` reads of a model's files.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return load()
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        said = " ".join(str(error).split())
        raise DataError([_fault(option, where, said[:300])]) from None


def weights_digest(model: nn.Module) -> str:
    """Return 16 hex digits of the names and values of a model's weights."""
    parts = [part for name, value in sorted(model.state_dict().items()) for part in (name, value)]
    return digest(*(part if isinstance(part, str) else part.cpu() for part in parts))


def _fault(option: str, where: str, said: str) -> Fault:
    rule = "a folder, or ORG/NAME[/SUBFOLDER] of the Hugging Face Hub, with config and safetensors"
    remedy = "correct it; other formats of weights are not read, since they can run code"
    return Fault((option,), rule, f"{where}: {said}", remedy)
