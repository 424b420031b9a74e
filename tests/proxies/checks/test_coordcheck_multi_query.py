"""Multi-query attention passes the gate as it is, and each mistake in its keys is still seen."""

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.analysis.verdict.coordcheck import judge
from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants

BASE, HEAD_DIM = 32, 16


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.q, self.proj = nn.Linear(width, width), nn.Linear(width, width)
        self.k, self.v = nn.Linear(width, HEAD_DIM), nn.Linear(width, HEAD_DIM)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        q = self.q(x).unflatten(2, (-1, HEAD_DIM)).transpose(1, 2)
        k, v = self.k(x).unsqueeze(1), self.v(x).unsqueeze(1)
        out = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return self.proj(out.transpose(1, 2).flatten(2))


class MultiQuery(nn.Module):
    """Two layers whose keys and values have one head at every width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.attentions = nn.ModuleList(Attention(width) for _ in range(2))
        self.head = mup.Readout(width, 8)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for attention in self.attentions:
            x = x + attention(x)
        return self.head(F.layer_norm(x, x.shape[-1:]))


def start_with(change=None):
    def start(arm, width, seed, lr):
        plan = mup.plan(MultiQuery, base_width=BASE, width=width, arm=arm)
        for name, row in plan["params"].items():
            if change and arm == "mup" and name.endswith((".k.weight", ".v.weight")):
                change(row, width / BASE)
        torch.manual_seed(seed)
        model = MultiQuery(width)
        mup.init_(model, plan)
        optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=lr))
        x, y = torch.randn(2, 16, 12, 8, generator=torch.Generator().manual_seed(seed))

        def step():
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()

        return coordcheck.CheckRun(
            model=model, optimizer=optimizer, plan=plan, take_step=step, probe=lambda: model(x)
        )

    return start


def check_of(start, seeds=range(3)):
    options = {"widths": (32, 64, 128, 256), "steps": 4, "lr": 2**-6}
    rows = [
        vars(size)
        for arm in ("mup", "sp")
        for size in coordcheck.measure(start, seeds=seeds, arm=arm, **options)
    ]
    return judge(pd.DataFrame(rows))


def test_the_weights_that_read_the_width_and_do_not_write_it_are_keys_and_values():
    run = start_with()("mup", 64, 0, 0.01)
    names = [f"attentions.{i}.{n}.weight" for i in (0, 1) for n in "kv"]
    assert coordcheck.inner_outputs(run) == names  # and not the head


def undivided(row, m):
    row.update(lr_mult=1.0)


def divided_twice(row, m):
    row.update(lr_mult=m**-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "verdict"), [(None, "PASS"), (undivided, "FAIL"), (divided_twice, "FAIL")]
)
def test_it_passes_as_planned_and_a_wrong_lr_of_its_keys_fails(change, verdict):
    check = check_of(start_with(change))
    assert check.verdict == verdict, "\n".join(map(str, check.findings))


def as_hidden(row, m):
    """The std of a hidden matrix, 1/√fan_in."""
    row.update(init_std=row["init_std"] * m**0.5)


@pytest.mark.parametrize("change", [None, undivided, as_hidden])
def test_the_invariants_hold_as_planned_and_see_rate_and_size(change):
    broken = invariants.broken_laws(start_with(change), base_width=BASE, width=256, lr=0.01)
    assert {b.name.split(".")[2] for b in broken} == ({"k", "v"} if change else set()), broken
