"""The user's own module and loss: random numbers by key, and one fault for each broken rule."""

import pytest
import torch

from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.models import custom
from tests.proxies import own_model

BATCH = {"image": torch.linspace(-1, 1, 4 * 64).view(4, 1, 8, 8)}


def faults(**functions):
    return custom.faults(own_model.config(**functions), [BATCH], [8, 32])


def test_a_sound_module_has_no_fault_and_the_check_draws_nothing_from_the_global_stream():
    before = torch.get_rng_state()
    assert faults() == []
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("functions", "path", "message"),
    [
        ({"build": "absent"}, "build", "got nothing of that name"),
        ({"build": "ignores_its_argument"}, "build", "the same shapes at both"),
        ({"build": "the_same_module"}, "build", "a new module at every call"),
        ({"build": "no_module"}, "build", "it returns an nn.Module; got int"),
        ({"build": "reads_values"}, "build", "so read none"),
        ({"loss": "of_the_batch"}, "loss", r"shape (4,) for 4 samples; got ()"),
        ({"loss": "of_the_global_stream"}, "loss", "draw from the generator alone"),
        ({"loss": "not_finite"}, "loss", "finite"),
        ({"loss": "detached"}, "loss", "has a gradient"),
        ({"loss": "ends_the_process"}, "loss", "got SystemExit: 3"),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_each_broken_rule_is_one_fault_at_its_function(functions, path, message):
    (fault,) = faults(**functions)
    assert fault.path == ("model", path) and message in str(fault)


def test_a_loss_is_of_each_sample_with_the_random_numbers_of_its_key():
    config = own_model.config()
    model = custom.build(config, 8)
    first = custom.losses(config, model, BATCH, "noise", 0, 3)
    assert first.shape == (4,)
    torch.manual_seed(123)
    assert torch.equal(custom.losses(config, model, BATCH, "noise", 0, 3), first)
    assert not torch.equal(custom.losses(config, model, BATCH, "noise", 0, 4), first)


def test_a_module_is_built_at_the_width_that_is_asked_for_or_not_at_all():
    assert custom.build(own_model.config(), 24)[1].weight.shape == (24, 64)
    with pytest.raises(ConfigError, match=r"model\.build: .* got int"):
        custom.build(own_model.config(build="no_module"), 24)
