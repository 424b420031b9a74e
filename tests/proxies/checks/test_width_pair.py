"""What a pair of widths shows of a LoRA pair: a readout that feeds zeros has no effect yet."""

import pytest
import torch
from torch import Tensor, nn

from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants

BASE, ROLES = 32, {"A.weight": "output, own init"}


class LoRA(nn.Module):
    """A frozen matrix with a pair of small ones; `is_zero` is how they begin."""

    def __init__(self, width: int, *, is_zero: bool = True) -> None:
        super().__init__()
        self.stem = nn.Linear(5, width)
        self.frozen = nn.Linear(width, width).requires_grad_(False)
        self.A, self.B = nn.Linear(width, 4, bias=False), nn.Linear(4, width, bias=False)
        if is_zero:
            nn.init.zeros_(self.B.weight)
        self.head = mup.Readout(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(torch.tanh(x + self.frozen(x) + self.B(self.A(x))))


@pytest.mark.parametrize(("is_zero", "names"), [(True, set()), (False, {"A.weight"})])
def test_the_own_init_of_a_lora_is_right_while_its_other_half_is_zero(is_zero, names):
    """The control: beside a B that is not zero, A of std 1/√fan_in is too large."""

    def build(width: int) -> nn.Module:
        return LoRA(width, is_zero=is_zero)

    def start(arm, width, seed, lr):
        plan = mup.plan(build, base_width=BASE, width=width, roles=ROLES)
        torch.manual_seed(seed)
        model = build(width)
        mup.init_(model, plan)
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
        return coordcheck.CheckRun(
            model=model,
            optimizer=torch.optim.AdamW(mup.param_groups(model, plan, lr=lr)),
            plan=plan,
            take_step=lambda: None,
            probe=lambda: model(x),
        )

    broken = invariants.broken_laws(start, base_width=BASE, width=8 * BASE, lr=0.01)
    assert {law.name for law in broken} == names, broken
