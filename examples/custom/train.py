"""Two trainers of the user: a function, and a program that `torchrun` starts.

Both train the model of `transformer.py`; mutransfer gives them the plan and the base HPs.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import transformer
from torch import nn
from torch.distributed.fsdp import fully_shard

from mutransfer import mup


def run(trial: Any) -> Iterator[dict[str, Any]]:
    """Yield points of training in this process; `trial: 'train:run'` of the spec."""
    yield from points(vars(trial), lambda model: model)


def points(
    trial: dict[str, Any], wrapped: Callable[[nn.Module], nn.Module]
) -> Iterator[dict[str, Any]]:
    """Yield {step, train_loss, val_loss} before the first step and after the last."""
    torch.manual_seed(trial["seed"])
    model = transformer.build(trial["width"])
    mup.init_(model, trial["plan"])
    model = wrapped(model)
    hps, data = trial["hps"], transformer.data(0)
    adam = {"betas": tuple(trial["optimizer"]["betas"]), "eps": trial["optimizer"]["eps"]}
    decay = hps["weight_decay"]
    groups = mup.param_groups(
        model, trial["plan"], lr=hps["lr"], weight_decay=decay, eps=adam["eps"]
    )
    optimizer = torch.optim.AdamW(groups, lr=hps["lr"], betas=adam["betas"])
    scheduler = mup.scheduler(optimizer, **trial["schedule"], warmup_steps=hps["warmup_steps"])
    # What this trainer does goes into best.yaml; what is not reported is left out there.
    settings = {
        "optimizer": {"name": "adamw", **adam},
        "schedule": trial["schedule"]["schedule"],
        "precision": "fp32",
        "loss": "cross-entropy",
    }
    rng = torch.Generator()

    def val_loss() -> float:
        with torch.no_grad():
            return transformer.loss(model, data.validation(), rng).mean().item()

    yield {"step": 0, "val_loss": val_loss(), "settings": settings}
    for step in range(trial["steps"]):
        batch = data.batch(trial["seed"], step, trial["batch_size"])
        loss = transformer.loss(model, batch, rng).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    mup.check_lrs(optimizer)  # raises where a scheduler has lost the ratios between the groups
    yield {"step": trial["steps"], "train_loss": loss.item(), "val_loss": val_loss()}


def main() -> None:
    """Train sharded over the processes of torchrun; the first one writes the points."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="JSON file that describes the trial")
    trial = json.loads(Path(parser.parse_args().config).read_text())
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    try:
        for point in points(trial, fully_shard):
            if torch.distributed.get_rank() == 0:
                with Path(trial["progress_file"]).open("a") as file:
                    file.write(json.dumps(point) + "\n")
    finally:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
