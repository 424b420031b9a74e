"""A small production trainer: a study's model and data, at the width of a best.yaml.

`mutransfer export digits-dit --width 1152`, then
`python examples/train_best.py runs/digits-dit/best.yaml --steps 1`. For a study of your own, such
as `mutransfer init` writes, name its file with `--spec`. A module of your own: examples/custom.
"""

import argparse
import dataclasses

import torch

from mutransfer import load_best, mup
from mutransfer.proxies import models
from mutransfer.proxies.config.model import learns_sigma
from mutransfer.proxies.data.load import load
from mutransfer.proxies.diffusion.objective import draw, objective
from mutransfer.proxies.rng import generator
from mutransfer.sweep import spec


def main() -> None:
    """Train for a few steps and print the loss and each group's learning rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("best", help="best.yaml of `mutransfer export`")
    parser.add_argument("--spec", default="sweeps.yaml", help="the file with the study")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--depth", type=int, help="blocks; by default as in the study")
    args = parser.parse_args()

    # load_best warns of each setting that differs from the study's.
    actual = {"steps": args.steps} | ({"depth": args.depth} if args.depth else {})
    best = load_best(args.best, **actual)
    hps, settings = best["hps"], best["valid_for"]
    batch_size = settings["batch_size"]
    study = spec.read(args.spec, (best["study"],))[best["study"]]
    data = load(study.data)
    config = dataclasses.replace(study.model, depth=args.depth or settings["depth"])

    def build(width: int) -> torch.nn.Module:
        return models.build(config, width, data.info)

    plan = best["plan"]
    if config.depth != settings["depth"]:  # another depth has other parameters: plan them anew
        multipliers = {name: hps[name] for name in ("init_std", "output_mult")}
        plan = mup.plan(build, base_width=best["base_width"], width=best["width"], **multipliers)

    torch.manual_seed(0)
    model = build(best["width"])
    mup.init_(model, plan)
    eps, decay = best["optimizer"]["eps"], hps["weight_decay"]
    groups = mup.param_groups(model, plan, lr=hps["lr"], weight_decay=decay, eps=eps)
    optimizer = torch.optim.AdamW(groups, lr=hps["lr"], betas=tuple(best["optimizer"]["betas"]))
    # Multiplies each group's own learning rate; a scheduler that sets absolute ones would not do.
    schedule = mup.scheduler(optimizer, schedule="cosine", steps=settings["steps"])

    loss_of = objective(study.objective, learn_sigma=learns_sigma(config))
    for step in range(args.steps):
        batch = data.batch(seed=0, step=step, size=batch_size)
        t, noise = draw(
            loss_of, generator("noise", 0, step), settings["batch_size"], data.info.shape
        )
        loss = loss_of.loss(model, batch, t, noise).mean()
        loss.backward()
        if hps["grad_clip"]:
            mup.clip_grad_norm_(optimizer.param_groups, hps["grad_clip"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        mup.check_lrs(optimizer)
        print(f"step {step + 1}: loss {loss.item():.4f}")
    for group in optimizer.param_groups:
        size = sum(p.numel() for p in group["params"])
        print(f"{group['name']}: lr {group['lr']:.3e} (x {group['lr_mult']:g}), {size:,} weights")


if __name__ == "__main__":
    main()
