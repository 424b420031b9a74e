"""A scaling rule in a configuration."""

from mutransfer.proxies.config.scaling import Scaling, ScalingRule
from mutransfer.proxies.config.trial import TrialConfig


def of_rule(kind: str, base: int, **options) -> Scaling:
    return Scaling(rule=ScalingRule(kind=kind, **options), base=base)


def test_a_configuration_with_a_rule_survives_json(trial_of):
    config = trial_of(depth=4, scaling=of_rule("completep", 2, alpha=0.5))
    assert TrialConfig.from_dict(config.to_dict()) == config
