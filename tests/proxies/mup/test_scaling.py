"""Rules along batch size, steps and depth: by hand, at the base, and what CompleteP is for."""

import dataclasses
import math

import pytest
import torch

from mutransfer.proxies import training
from mutransfer.proxies.config.data import DigitsConfig, LatentsConfig
from mutransfer.proxies.config.model import DiTConfig, MMDiTConfig, PixArtConfig, UViTConfig
from mutransfer.proxies.config.scaling import Scaling, ScalingRule
from mutransfer.proxies.config.trial import HPs, TrainConfig, TrialConfig
from mutransfer.proxies.training.train import Training

SIZES = {"head_dim": 8, "base_width": 16, "patch_size": 4}

CAPTIONS = LatentsConfig(
    path="nowhere",
    n_samples=600,
    n_validation=100,
    shape=(1, 8, 8),
    n_classes=10,
    caption=(2, 10),
    pooled=10,
    feature=(4, 8),
    fingerprint="declared",
)

DIGITS = DigitsConfig(val_draws=1)


# Of RESULT_SCHEMA 2: what is added later must leave them, so that a study can be resumed.
IDENTITIES = {
    ("dit", 16, "mup"): "91cea06ad1468bfa",
    ("dit", 32, "mup"): "c43fd9ba66bbd90b",
    ("dit", 32, "sp"): "7f855ca2d6697d48",
    ("uvit", 32, "mup"): "eb8ffbb2542510ea",
    ("pixart", 32, "mup"): "87e684659a8d2f5e",
    ("mmdit", 32, "mup"): "7db6b9de88924059",
}

MODELS = {
    "dit": (DiTConfig(depth=2, **SIZES), DIGITS),
    "uvit": (UViTConfig(depth=3, **SIZES), DIGITS),
    "pixart": (PixArtConfig(depth=2, **SIZES), CAPTIONS),
    "mmdit": (MMDiTConfig(depth=2, repa_block=1, repa_hidden=12, **SIZES), CAPTIONS),
}


@pytest.mark.parametrize(("family", "width", "arm"), IDENTITIES)
def test_without_a_rule_a_trial_keeps_the_identity_it_always_had(family, width, arm):
    model, source = MODELS[family]
    config = TrialConfig(
        model=model,
        data=source,
        train=TrainConfig(steps=20, batch_size=8, n_val=1, schedule="cosine"),
        hps=HPs(lr=2**-7, weight_decay=0.1, init_std=2.0),
        width=width,
        arm=arm,
        seed=1,
    )
    assert training.identity(config) == IDENTITIES[family, width, arm]


def of_rule(kind: str, base: int, **options) -> Scaling:
    return Scaling(rule=ScalingRule(kind=kind, **options), base=base)


def row(config: TrialConfig, name: str) -> dict:
    return training.plan(config)["params"][name]


RULES = (("sqrt_batch", "batch_size", 8), ("horizon", "steps", 20), ("completep", "depth", 2))


@pytest.mark.parametrize(("kind", "axis", "base"), RULES)
def test_at_the_base_value_a_rule_changes_nothing_and_beyond_it_makes_another_trial(
    trial_of, kind, axis, base
):
    def names(axis_value):
        plain = trial_of(**{axis: axis_value}, weight_decay=0.1)
        scaled = dataclasses.replace(plain, scaling=of_rule(kind, base))
        unscaled = dataclasses.replace(scaled, arm="unscaled")
        assert training.identity(unscaled) == training.identity(plain)
        return {training.identity(plain), training.identity(scaled)}

    assert len(names(base)) == 1
    assert len(names(4 * base)) == 2


def test_the_rule_for_the_batch_by_hand(trial_of):
    config = trial_of(batch_size=32, width=32, scaling=of_rule("sqrt_batch", 8))
    hidden, vector = (row(config, f"blocks.0.mlp.fc1.{n}") for n in ("weight", "bias"))
    assert hidden["lr_mult"] == 2 / 2 and vector["lr_mult"] == 2  # √(32/8), hidden over m = 2
    assert hidden["wd_mult"] == 2 * 2 and hidden["eps_mult"] == 1 / 2
    assert training.betas(config) == (0.9, 0.999)
    scaled = dataclasses.replace(config, scaling=of_rule("sqrt_batch", 8, scale_betas=True))
    assert training.betas(scaled) == pytest.approx((0.6, 0.996))
    optimizer = Training(scaled).optimizer
    assert optimizer.defaults["betas"] == training.betas(scaled)


def test_the_rule_for_the_horizon_by_hand(trial_of):
    config = trial_of(steps=80, scaling=of_rule("horizon", 20))
    hidden = row(config, "blocks.0.mlp.fc1.weight")
    assert (hidden["lr_mult"], hidden["wd_mult"], hidden["eps_mult"]) == (0.5, 0.5, 1)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_completep_by_hand(trial_of, alpha):
    config = trial_of(depth=8, width=32, scaling=of_rule("completep", 2, alpha=alpha))
    plan = training.plan(config)
    hidden, bias, embed, time, final = (
        plan["params"][name]
        for name in (
            "blocks.3.attn.qkv.weight",
            "blocks.3.attn.qkv.bias",
            "patch_embed.weight",
            "time_embed.fc2.weight",
            "final.modulation.weight",
        )
    )
    assert plan["residual_mult"] == 4**-alpha
    assert hidden["lr_mult"] == pytest.approx(4 ** (alpha - 1) / 2)
    assert bias["lr_mult"] == pytest.approx(4 ** (alpha - 1))
    assert hidden["eps_mult"] == pytest.approx(4**-alpha)
    assert hidden["wd_mult"] == 2
    # Outside of the blocks nothing changes; the hidden ones there keep μP's 1/m.
    assert [r["lr_mult"] for r in (embed, time, final)] == [1, 1 / 2, 1 / 2]
    assert [r["eps_mult"] for r in (embed, time, final)] == [1, 1, 1]


def test_scaled_eps_and_the_depth_rule_multiply(trial_of):
    config = trial_of(depth=8, width=32, scale_eps=True, scaling=of_rule("completep", 2))
    assert row(config, "blocks.3.attn.qkv.weight")["eps_mult"] == pytest.approx(1 / 2 / 4)


def stream_change(trial_of, depth: int, scaling: Scaling | None) -> float:
    """RMS change of the last block's output on the first batch, after four steps."""
    config = trial_of(depth=depth, width=32, batch_size=16, lr=2**-8, scaling=scaling, seed=1)
    run = Training(config)
    inputs = run.task.inputs(0)
    seen: list[torch.Tensor] = []
    run.model.blocks[-1].register_forward_hook(lambda *args: seen.append(args[-1].detach()))
    with torch.no_grad():
        run.losses(inputs)
    for _ in range(4):
        run.take_step()
    with torch.no_grad():
        run.losses(inputs)
    return (seen[-1] - seen[0]).square().mean().sqrt().item()


def test_under_completep_the_change_of_the_stream_does_not_grow_with_depth_without_it_does(
    trial_of,
):
    def octaves_per_doubling(scaling: Scaling | None) -> float:
        small, large = (stream_change(trial_of, depth, scaling) for depth in (4, 16))
        return math.log2(large / small) / 2

    # Not quite 0 under the rule: random draws at initialization add up to √L / L.
    assert abs(octaves_per_doubling(of_rule("completep", 4))) < 0.3
    assert octaves_per_doubling(None) > 0.7
