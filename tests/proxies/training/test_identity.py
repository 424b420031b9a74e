"""Identity: the same run has the same name, and only the same run."""

import json
import time

import pytest

from mutransfer.proxies import training
from mutransfer.proxies.config.optimizer import OptimizerConfig


def test_identity_is_sixteen_hex_digits_of_plain_data(trial_of):
    name = training.identity(trial_of())
    assert len(name) == 16 and int(name, 16) >= 0
    json.dumps(training.resolve(trial_of()), allow_nan=False)


def test_arms_are_one_trial_at_base_width_and_two_beyond(trial_of):
    options = {"init_std": 2.0, "output_mult": 4.0, "weight_decay": 0.1}

    def names(width):
        return {
            training.identity(trial_of(width=width, arm=arm, **options)) for arm in ("mup", "sp")
        }

    assert len(names(16)) == 1
    assert len(names(32)) == 2


def test_the_label_of_the_base_width_is_not_part_of_it_but_what_follows_is(trial_of):
    def name(**options):
        return training.identity(trial_of(width=32, **options))

    assert name(arm="sp", base_width=16) == name(arm="sp", base_width=64)
    assert name(base_width=16) != name(base_width=64)
    assert name(base_width=32) == name(arm="sp", base_width=16)


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 2**-8},
        {"init_std": 2.0},
        {"init_std_hidden": 2.0},
        {"init_std_input": 2.0},
        {"output_mult": 2.0},
        {"weight_decay": 0.1},
        {"warmup_steps": 1},
        {"grad_clip": 1.0},
        {"seed": 1},
        {"steps": 21},
        {"batch_size": 9},
        {"schedule": "cosine"},
        {"ema_frac": 0.1},
        {"precision": "bf16"},
        {"eps": 1e-8},
        {"betas": (0.9, 0.95)},
        {"depth": 3},
        {"head_dim": 4},
        {"adaln": "zero"},
        {"embedding_std": 0.5},
        {"kind": "ddpm"},
        {"t_distribution": "logit_normal"},
        {"label_dropout": 0.2},
        {"val_draws": 2},
        {"width": 32},
        {"device": "cuda"},
        {"threads": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_the_result_changes_the_identity(trial_of, change):
    assert training.identity(trial_of(**change)) != training.identity(trial_of())


def test_what_does_not_act_does_not_change_the_identity(trial_of):
    # No vector of the DiT is random, and ε is scaled by 1/m only.
    same = {
        training.identity(trial_of(**c)) for c in ({}, {"init_std_vector": 2.0}, {"scale_eps": 1})
    }
    assert len(same) == 1
    assert training.identity(trial_of(width=32, scale_eps=True)) != training.identity(
        trial_of(width=32)
    )


def test_whole_and_real_numbers_are_one_identity(trial_of):
    assert training.identity(trial_of(mlp_ratio=4)) == training.identity(trial_of(mlp_ratio=4.0))


def test_an_identity_costs_about_a_millisecond(trial_of):
    training.identity(trial_of())
    started = time.process_time()
    for k in range(50):
        training.identity(trial_of(lr=2.0**-k))
    assert (time.process_time() - started) / 50 < 0.01


def test_adamws_own_lr_is_part_of_it_where_it_is_given(trial_of):
    muon = {"optimizer": OptimizerConfig(name="muon")}
    assert "adamw_lr" not in training.resolve(trial_of(**muon))["hps"]
    own = training.identity(trial_of(**muon, adamw_lr=2**-9))
    assert own != training.identity(trial_of(**muon))
