"""The runs of a coordinate check of a member of the zoo, with the inputs of `zoo_inputs`."""

import torch
from torch import nn

from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck
from mutransfer.words import Arm
from tests.proxies.zoo import BASE_WIDTH, ZOO, Member
from tests.proxies.zoo_inputs import FORWARDS

BASE = BASE_WIDTH
# What the gate must refuse, since no rule for parameters mends it.
FLAWED = {"Gemma": "its embeddings are multiplied by √width in the forward pass"}


def seeded(member: Member, width: int, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return member.build(width)


def start_of(name: str) -> coordcheck.StartRun:
    """Begin the runs of a member, towards a random target, without dropout."""
    member, forward = ZOO[name], FORWARDS[name]

    def start(arm: Arm, width: int, seed: int, lr: float) -> coordcheck.CheckRun:
        plan = mup.plan(member.build, base_width=BASE, width=width, roles=member.roles, arm=arm)
        model = seeded(member, width, seed).eval()
        mup.init_(model, plan)
        optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=lr), eps=1e-12)
        with torch.no_grad():
            shape = forward(model).shape
        target = torch.randn(shape, generator=torch.Generator().manual_seed(seed))

        def step() -> None:
            optimizer.zero_grad()
            (forward(model) - target).square().mean().backward()
            optimizer.step()

        return coordcheck.CheckRun(
            model=model,
            optimizer=optimizer,
            plan=plan,
            take_step=step,
            probe=lambda: forward(model),
        )

    return start
