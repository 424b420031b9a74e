"""Every family trains, on digits with captions and features of a frozen network."""

import dataclasses
import math

import pytest

from mutransfer.proxies.config.model import MODEL_CONFIGS, PixArtConfig, UViTConfig
from mutransfer.proxies.config.trial import HPs, ObjectiveConfig, TrainConfig, TrialConfig
from mutransfer.proxies.models.build import FAMILIES
from mutransfer.proxies.training import identity
from mutransfer.proxies.training.train import Training

PARTS = {"depth": 3, "head_dim": 8, "base_width": 16, "patch_size": 4}


OPTIONS = {
    "mmdit": {"repa_block": 1, "repa_hidden": 32},
    "dit": {"repa_block": 1, "repa_hidden": 32},
}


every_family = pytest.mark.parametrize("family", FAMILIES)


def config_of(featured, family, *, width=16, arm="mup", model=(), objective=(), **train):
    options = PARTS | OPTIONS.get(family, {"learn_sigma": False}) | dict(model)
    return TrialConfig(
        model=MODEL_CONFIGS[family](**options),
        data=featured,
        objective=ObjectiveConfig(**dict(objective)),
        train=TrainConfig(**{"steps": 12, "batch_size": 16, "n_val": 1} | train),
        hps=HPs(lr=2**-6, weight_decay=0.1, grad_clip=1.0),
        width=width,
        arm=arm,
    )


def result_of(config):
    training = Training(config)
    for _ in training.run():
        pass
    return training.result()


@every_family
def test_every_family_learns(featured, family):
    result = result_of(config_of(featured, family, steps=80))
    assert result.status == "done"
    assert result.init_val_loss == result.trivial_val_loss, "a zero readout is the zero predictor"
    assert result.val_loss < 0.8 * result.trivial_val_loss


@every_family
@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bf16"},
        {"model": {"learn_sigma": True}, "objective": {"kind": "ddpm"}},
        {"objective": {"t_distribution": "logit_normal"}, "ema_frac": 0.2},
    ],
    ids=["bf16", "learned sigma", "logit-normal"],
)
def test_every_option_trains(featured, family, options):
    result = result_of(config_of(featured, family, **options))
    assert result.status == "done" and result.val_loss < result.trivial_val_loss


@every_family
def test_mup_at_base_width_is_sp_bit_for_bit(featured, family):
    for width, are_same in ((16, True), (32, False)):
        configs = [config_of(featured, family, width=width, arm=arm) for arm in ("mup", "sp")]
        mup, sp = (result_of(config) for config in configs)
        assert (mup.val_loss == sp.val_loss) is are_same
        assert (len({identity(config) for config in configs}) == 1) is are_same


@pytest.mark.parametrize(
    "model",
    [
        UViTConfig(affine_norm=True, **PARTS),
        UViTConfig(mlp_time_embed=True, **PARTS),
        UViTConfig(conv=False, position_std=0.1, **PARTS),
        PixArtConfig(table_std=0.1, **PARTS),
        PixArtConfig(embedder_std=None, **PARTS),
        PixArtConfig(zero_cross_attention=False, **PARTS),
    ],
    ids=str,
)
def test_an_option_of_a_family_is_another_trial(featured, model):
    config = config_of(featured, model.family)
    changed = dataclasses.replace(config, model=model)
    assert identity(changed) != identity(config)
    assert result_of(changed).val_loss != result_of(config).val_loss


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # raised inside torch's compiler
@every_family
def test_a_compiled_run_ends_near_the_eager_one(featured, family):
    eager, compiled = (result_of(config_of(featured, family, compile=c)) for c in (False, True))
    assert math.isfinite(compiled.val_loss)
    assert compiled.val_loss == pytest.approx(eager.val_loss, rel=1e-3)
