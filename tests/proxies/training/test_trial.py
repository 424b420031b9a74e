"""What follows from a trial's configuration: plan, factors of its scaling rule, Adam's β, model."""

import dataclasses

import pytest
import torch

from mutransfer.proxies.config.scaling import Scaling, ScalingRule
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup import scaling
from mutransfer.proxies.mup.plan import UNSCALED
from mutransfer.proxies.training import trial
from tests.proxies import own_model

HIDDEN = "blocks.0.mlp.fc1.weight"
RULES = {"sqrt_batch": ("batch_size", 8), "horizon": ("steps", 20), "completep": ("depth", 2)}


def of_rule(kind, base, **options):
    return Scaling(rule=ScalingRule(kind=kind, **options), base=base)


def test_the_plan_is_for_the_width_the_arm_and_the_hps_of_the_trial(trial_of):
    narrow, wide = (trial.plan(trial_of(width=width)) for width in (16, 64))
    assert (narrow["width_mult"], wide["width_mult"]) == (1, 4)
    assert wide["params"][HIDDEN]["lr_mult"] == 1 / 4
    assert trial.plan(trial_of(width=64, arm="sp"))["params"][HIDDEN]["lr_mult"] == 1
    doubled = trial.plan(trial_of(width=64, init_std_hidden=2.0))["params"][HIDDEN]
    assert doubled["init_std"] == 2 * wide["params"][HIDDEN]["init_std"]
    # The LR acts outside of the plan.
    assert trial.plan(trial_of(width=64, lr=1.0)) == wide


def test_the_plan_of_an_own_module_uses_the_roles_that_are_declared(trial_of):
    own = dataclasses.replace(trial_of(width=32), model=own_model.config())
    inferred, name = trial.plan(own)["params"], "3.weight"
    assert inferred[name]["role"] == "output"
    model = dataclasses.replace(own.model, roles={name: "hidden"})
    declared = trial.plan(dataclasses.replace(own, model=model))["params"]
    assert declared[name]["role"] == "hidden" and inferred["1.weight"] == declared["1.weight"]


def test_a_width_that_does_not_fit_is_named(trial_of):
    with pytest.raises(ConfigError, match=r"head_dim = 8; got 20"):
        trial.plan(trial_of(width=20))


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_acts_by_the_growth_along_its_own_axis_in_the_arm_mup_alone(trial_of, kind):
    axis, base = RULES[kind]
    grown = trial_of(**{axis: 4 * base}, scaling=of_rule(kind, base))
    assert trial.factors(grown) == scaling.factors(kind, 4) != UNSCALED
    others = (
        dataclasses.replace(grown, scaling=None),
        dataclasses.replace(grown, arm="sp"),
        dataclasses.replace(grown, arm="unscaled"),
        dataclasses.replace(grown, scaling=of_rule(kind, 4 * base)),
    )
    assert [trial.factors(other) for other in others] == 4 * [UNSCALED]


def test_betas_follow_the_batch_only_where_the_rule_says_so_and_in_the_arm_mup(trial_of):
    rule = of_rule("sqrt_batch", 8, scale_betas=True)
    grown = trial_of(batch_size=32, betas=(0.9, 0.99), scaling=rule)
    assert trial.betas(grown) == pytest.approx((0.6, 0.96))
    for other in (of_rule("sqrt_batch", 8), None):
        assert trial.betas(dataclasses.replace(grown, scaling=other)) == (0.9, 0.99)
    assert trial.betas(dataclasses.replace(grown, arm="unscaled")) == (0.9, 0.99)


def test_a_model_is_built_at_its_width_from_the_global_stream(trial_of):
    def built():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return trial.build(trial_of(width=32)).patch_embed.weight

    seed = 0
    first = built()
    assert len(first) == 32 and torch.equal(built(), first)
    seed = 1
    assert not torch.equal(built(), first)
