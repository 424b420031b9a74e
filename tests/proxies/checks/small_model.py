"""A small model with attention for the checks; its options, or its plan, plant a mistake."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck
from mutransfer.words import Arm
from tests.proxies.modules import BASE

WIDE, LR, HEADS = 8 * BASE, 2**-7, 2


class Model(nn.Module):
    """Attention and a residual MLP; each option is a mistake."""

    def __init__(
        self, width: int, *, power: float = -1.0, is_outside: bool = False, twice: bool = False,
        xavier: bool = False, gain: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.m, self.power, self.twice = width / BASE, power, twice
        self.is_outside = is_outside
        self.stem, self.qkv = nn.Linear(5, width), nn.Linear(width, 3 * width)
        self.inner = nn.Linear(width, width)
        self.gain = nn.Parameter(torch.randn(width)) if gain else None
        self.head = nn.Linear(width, 3) if is_outside else mup.Readout(width, 3)
        nn.init.zeros_(self.head.weight)
        self.is_xavier = xavier

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        qkv = self.qkv(x).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        scale = qkv.shape[-1] ** self.power
        q, k, v = qkv
        mixed = ((scale * (q @ k.mT)).softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = F.layer_norm(x + F.relu(self.inner(mixed)), x.shape[-1:])
        if self.twice:
            x = x / self.m
        out = self.head(x)
        return out / self.m if self.is_outside else out


def start_with(plan_change=None, arm=None, **options):
    """A `StartRun` of the model, with a mistake in the model or in its plan."""

    def build(width: int) -> nn.Module:
        return Model(width, **options)

    def start(given: Arm, width: int, seed: int, lr: float) -> coordcheck.CheckRun:
        plan = mup.plan(build, base_width=BASE, width=width, arm=arm or given)
        if options.get("is_outside"):  # the output rule with a multiplier: the same LR
            plan["params"]["head.weight"].update(lr_mult=1.0, wd_mult=1.0, eps_mult=1.0)
        if plan_change:
            plan_change(plan["params"], width / BASE)
        torch.manual_seed(seed)
        model = build(width)
        mup.init_(model, plan, seed=seed)
        if options.get("xavier"):
            nn.init.xavier_normal_(model.stem.weight)
        groups = mup.param_groups(model, plan, lr=lr, weight_decay=0.1)
        x = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
        return coordcheck.CheckRun(
            model=model,
            optimizer=torch.optim.AdamW(groups),
            plan=plan,
            take_step=lambda: None,
            probe=lambda: model(x),
        )

    return start
