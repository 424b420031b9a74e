"""Multipliers of `Readout` and `ResidualBlock`."""

import pytest
import torch

from mutransfer.proxies import mup
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.scaling import Factors
from tests.proxies.family_cases import FAMILIES, batch_of, builder, loss_of, scrambled
from tests.proxies.mup.torch_layers import initialized


def test_the_readout_alone_gets_the_multiplier():
    model, _, plan = initialized(256, output_mult=2.0)
    assert model.readout.input_mult == plan["params"]["readout.weight"]["input_mult"] == 0.5
    assert plan["params"]["head.weight"]["lr_mult"] == 0.5
    x = torch.randn(3, 256)
    expected = 0.5 * x @ model.readout.weight.T + model.readout.bias
    torch.testing.assert_close(model.readout(x), expected)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"uvit"}))
def test_the_residual_multiplier_scales_every_branch_of_a_block(family):
    """Blocks that add r times their branches are blocks whose branches end r times as small."""
    r = 0.25
    build = builder(family)
    plan = mup.plan(build, base_width=16, width=16) | {"residual_mult": r}
    by_rule, by_hand = scrambled(build, 16).double(), scrambled(build, 16).double()
    mup.init_(by_rule, plan)
    ends = ("attn.proj", "cross.proj", "mlp.fc2", "image.proj", "caption.proj")
    with torch.no_grad():
        for name, parameter in by_hand.named_parameters():
            if name.startswith("blocks.") and any(f".{end}." in name for end in ends):
                parameter.mul_(r)
    batch, t_B = batch_of(8), torch.linspace(0, 900, 8, dtype=torch.float64)
    losses = [loss_of(model, batch, t_B).item() for model in (by_rule, by_hand)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    untouched = loss_of(scrambled(build, 16).double(), batch, t_B).item()
    assert abs(losses[0] - untouched) > 1e-6


def test_a_depth_rule_needs_blocks_and_their_multiplier():
    build = builder("uvit")
    shrunk = Factors(residual=0.5)
    with pytest.raises(PlanError, match="ResidualBlock"):
        mup.plan(build, base_width=16, width=16, factors=shrunk)
    build = builder("dit")
    plan = mup.plan(build, base_width=16, width=16, factors=shrunk)
    with pytest.raises(PlanError, match="residual multiplier"):
        mup.param_groups(build(16), plan, lr=0.01)
    model = build(16)
    mup.init_(model, plan)
    assert mup.param_groups(model, plan, lr=0.01)
