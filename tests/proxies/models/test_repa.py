"""REPA, with features of a small frozen network that was trained to classify digits."""

import dataclasses
import io

import numpy as np
import pytest
import torch

from mutransfer.proxies import training as trial
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.models import repa
from mutransfer.proxies.training import flops
from mutransfer.proxies.training.train import Training
from tests.proxies.conftest import GRID, N_FEATURES
from tests.proxies.repa_trials import FAMILIES, config_of, trained

every_family = pytest.mark.parametrize("family", FAMILIES)


@torch.no_grad()
def alignment(training) -> float:
    """Mean alignment over the validation set without noise."""
    batch = training.task.data.validation()
    _, projected = training.model(batch["image"], torch.zeros(len(batch["image"])), batch)
    return repa.alignment(projected, batch["feature"]).mean().item()


def test_alignment_is_the_mean_cosine_of_tokens_and_blind_to_their_size():
    rng = np.random.default_rng(0)
    tokens, features = rng.normal(size=(3, 5, 7)), rng.normal(size=(3, 5, 7))
    dots = (tokens * features).sum(-1)
    expected = (dots / np.linalg.norm(tokens, axis=-1) / np.linalg.norm(features, axis=-1)).mean(1)
    as_tensors = [torch.from_numpy(x) for x in (tokens, features)]
    torch.testing.assert_close(repa.alignment(*as_tensors), torch.from_numpy(expected).float())
    same, against = (repa.alignment(as_tensors[0], k * as_tensors[0]) for k in (3, -3))
    torch.testing.assert_close(same, torch.ones(3))
    torch.testing.assert_close(against, -torch.ones(3))


@every_family
def test_alignment_grows_where_it_has_a_weight_and_not_where_the_weight_is_zero(featured, family):
    before = alignment(Training(config_of(featured, family)))
    with_weight = alignment(trained(config_of(featured, family, weight=1.0)))
    without = alignment(trained(config_of(featured, family, weight=0.0)))
    assert with_weight > before + 0.3
    assert abs(without - before) < 0.15


@every_family
def test_at_weight_zero_training_is_that_of_the_model_without_projector(featured, family):
    zero = trained(config_of(featured, family, weight=0.0, ema_frac=0.2))
    none = trained(config_of(featured, family, block=None, ema_frac=0.2))
    own = dict(none.model.named_parameters())
    for name, parameter in zero.model.named_parameters():
        assert name.startswith("projector.") or torch.equal(parameter, own.pop(name)), name
    assert not own
    assert zero.result().val_loss == none.result().val_loss
    weighted = trained(config_of(featured, family, ema_frac=0.2)).result()
    assert weighted.val_loss != none.result().val_loss


@every_family
def test_an_interrupted_run_ends_in_the_same_bits(featured, family):
    config = config_of(featured, family, steps=20, log_every=5, ema_frac=0.2)
    uninterrupted = trained(config)
    first = Training(config)
    run = first.run()
    while first.step < 10:
        next(run)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = Training(config)
    second.load_state_dict(torch.load(file, weights_only=True))
    for _ in second.run():
        pass
    for own, other in zip(second.model.parameters(), uninterrupted.model.parameters(), strict=True):
        assert torch.equal(own, other)
    assert second.result().val_loss == uninterrupted.result().val_loss


def test_identity_covers_block_width_of_the_projector_and_the_weight_in_effect(featured):
    def name(config=None, **model):
        config = config or config_of(featured)
        changed = dataclasses.replace(config.model, **model)
        return trial.identity(dataclasses.replace(config, model=changed))

    assert name(config_of(featured, weight=0.5)) == name()
    names = {name(config_of(featured, weight=w)) for w in (0.0, 0.4, None)}
    assert len(names | {name(repa_block=1), name(repa_hidden=16), name(repa_block=None)}) == 6


def test_the_weight_by_default_is_that_of_a_model_with_a_projector_alone(featured):
    assert config_of(featured).hps.repa_weight == 0.5
    assert config_of(featured, block=None).hps.repa_weight is None
    again = TrialConfig.from_dict(config_of(featured).to_dict())
    assert again == config_of(featured)


def test_the_projector_is_counted(featured):
    hidden, width = 32, 16
    with_it, without = (config_of(featured, block=block) for block in (0, None))
    size = width * hidden + hidden * hidden + hidden * N_FEATURES
    n_biases = 2 * hidden + N_FEATURES
    assert flops.n_params(with_it) - flops.n_params(without) == size + n_biases
    extra = flops.step_flops(with_it) - flops.step_flops(without)
    # Forward, and twice that backward, of each token of a batch of 16.
    assert extra == 3 * 2 * size * GRID**2 * 16


@every_family
def test_bf16_is_close_to_fp32(featured, family):
    full, half = (trained(config_of(featured, family, precision=p)) for p in ("fp32", "bf16"))
    assert half.result().val_loss == pytest.approx(full.result().val_loss, rel=0.03)
    assert alignment(half) == pytest.approx(alignment(full), abs=0.1)
