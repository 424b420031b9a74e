"""The training loop of one trial."""

import io
import json
import math

import pytest
import torch

from mutransfer.proxies import mup
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.training import identity, plan
from mutransfer.proxies.training.train import Training, initialized_model


def trained(config):
    training = Training(config)
    points = list(training.run())
    return training, points, training.result()


def weights(training):
    return [p.detach().clone() for p in training.model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_sane_run_is_done_and_far_below_trivial(trial_of):
    _, _, result = trained(trial_of(steps=150, batch_size=16, lr=2**-6))
    assert (result.status, result.diverged_step) == ("done", None)
    assert result.init_val_loss == result.trivial_val_loss, "a zero readout is the zero predictor"
    assert result.val_loss < 0.6 * result.trivial_val_loss
    assert result.train_loss == pytest.approx(result.val_loss, rel=0.15)


def test_a_huge_lr_diverges_with_a_step_and_without_a_value(trial_of):
    training, points, result = trained(trial_of(steps=150, lr=4.0))
    assert result.status == "diverged"
    assert 1 <= result.diverged_step <= points[-1].step < 150
    assert result.val_loss is None and result.train_loss is None
    assert training.is_over
    assert result.flops == points[-1].step * trained_flops(trial_of(steps=1))


def trained_flops(config):
    return trained(config)[2].flops


def test_overflow_is_found_at_its_step_and_json_has_no_nan(trial_of):
    training = Training(trial_of(steps=40, log_every=10))
    run = training.run()
    next(run)
    with torch.no_grad():
        training.model.final.readout.weight.fill_(float("inf"))
    list(run)
    result = training.result()
    assert (result.status, result.diverged_step) == ("diverged", 11)
    json.dumps(result.curve, allow_nan=False)
    assert result.curve[-1]["train_loss"] is None and result.end_val_loss is None


def test_a_run_that_learns_nothing_counts_as_diverged(trial_of):
    _, _, result = trained(trial_of(steps=10, lr=1e-30))
    assert (result.status, result.diverged_step) == ("diverged", 10)
    assert result.train_loss is None and result.end_val_loss == pytest.approx(result.init_val_loss)


def test_same_configuration_same_bits_whatever_the_global_stream(trial_of):
    config = trial_of(lr=2**-5)
    torch.manual_seed(1)
    run, _, first = trained(config)
    torch.manual_seed(2)
    other_run, _, second = trained(config)
    assert same(weights(run), weights(other_run)) and first.val_loss == second.val_loss
    third = trained(trial_of(lr=2**-5, seed=1))[2]
    assert third.val_loss != first.val_loss
    assert third.trivial_val_loss == first.trivial_val_loss, "one validation set for all seeds"


def test_mup_at_base_width_is_sp_bit_for_bit(trial_of):
    options = {"lr": 2**-8, "weight_decay": 0.1, "grad_clip": 0.5, "init_std": 1.5}
    for width, are_same in ((16, True), (32, False)):
        mup_run, _, mup_result = trained(trial_of(width=width, **options))
        sp_run, _, sp_result = trained(trial_of(width=width, arm="sp", **options))
        assert mup_result.status == sp_result.status == "done"
        assert same(weights(mup_run), weights(sp_run)) is are_same
        assert (mup_result.val_loss == sp_result.val_loss) is are_same


@pytest.mark.parametrize("cuts", [(4,), (8, 16), (20,)])
def test_an_interrupted_run_ends_in_the_same_bits(trial_of, cuts):
    config = trial_of(
        log_every=4,
        n_val=2,
        ema_frac=0.2,
        warmup_steps=3,
        grad_clip=0.1,
        weight_decay=0.1,
        schedule="cosine",
        width=32,
    )
    uninterrupted, points, expected = trained(config)
    training, seen = Training(config), []
    run = training.run()
    for cut in cuts:
        while training.step < cut:
            seen.append(next(run))
        file = io.BytesIO()
        torch.save(training.state_dict(), file)
        file.seek(0)
        training = Training(config)
        training.load_state_dict(torch.load(file, weights_only=True))
        run = training.run()
    seen += list(run)
    result = training.result()
    assert seen == points
    assert same(weights(training), weights(uninterrupted))
    assert (result.val_loss, result.curve) == (expected.val_loss, expected.curve)
    assert result.train_loss == expected.train_loss


def test_a_state_of_another_trial_is_refused(trial_of):
    state = Training(trial_of()).state_dict()
    with pytest.raises(ConfigError, match="same trial"):
        Training(trial_of(lr=0.5)).load_state_dict(state)


def test_a_result_before_the_end_is_an_error(trial_of):
    with pytest.raises(RuntimeError, match="step 0 of 20"):
        Training(trial_of()).result()


def test_progress_has_points_at_the_chosen_steps_and_validations_spread_evenly(trial_of):
    _, points, result = trained(trial_of(steps=20, log_every=6, n_val=2, warmup_steps=12))
    assert [point.step for point in points] == [6, 12, 18, 20]
    assert [point.val_loss is not None for point in points] == [False, True, False, True]
    assert points[-1].val_loss == result.val_loss
    assert points[0].lr == 2**-7 * 0.5 and points[1].lr == 2**-7
    assert [point["step"] for point in result.curve] == [6, 12, 18, 20]
    assert all(point.grad_norm > 0 for point in points)


@pytest.mark.parametrize("ema_frac", [None, 0.2])
def test_validations_along_the_way_change_no_bit_of_a_training(trial_of, ema_frac):
    once, _, ends = trained(trial_of(steps=50, n_val=1, ema_frac=ema_frac))
    often, _, also = trained(trial_of(steps=50, n_val=25, ema_frac=ema_frac))
    assert len([p for p in also.curve if p["val_loss"] is not None]) == 25
    assert same(weights(once), weights(often))
    assert (ends.val_loss, ends.train_loss) == (also.val_loss, also.train_loss)
    assert identity(once.config) != identity(often.config)  # another curve


def test_the_schedule_multiplies_the_lr_of_every_group(trial_of):
    training = Training(trial_of(width=64, warmup_steps=10, log_every=5))
    next(training.run())
    lrs = {group["name"]: group["lr"] for group in training.optimizer.param_groups}
    assert lrs["hidden"] == pytest.approx(2**-7 / 4 * 0.5)
    assert lrs["vector"] == pytest.approx(2**-7 * 0.5)


def test_the_ema_is_validated_and_training_goes_on_with_the_raw_weights(trial_of):
    plain_run, _, plain = trained(trial_of(lr=2**-5))
    ema_run, _, averaged = trained(trial_of(lr=2**-5, ema_frac=0.5))
    assert same(weights(plain_run), weights(ema_run))
    assert plain.val_loss != averaged.val_loss
    assert plain.train_loss == averaged.train_loss


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bf16"},
        {"kind": "ddpm"},
        {"kind": "ddpm", "learn_sigma": True},
        {"t_distribution": "logit_normal"},
        {"adaln": "zero"},
        {"fused": False},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_every_option_trains(trial_of, options):
    _, _, result = trained(trial_of(steps=60, lr=2**-6, **options))
    assert result.status == "done" and result.val_loss < 0.9 * result.trivial_val_loss


def test_bf16_is_close_to_fp32_and_not_it(trial_of):
    full, half = (trained(trial_of(precision=p))[2].val_loss for p in ("fp32", "bf16"))
    assert half == pytest.approx(full, rel=0.02) and half != full


def test_the_initialized_model_follows_the_plan_and_leaves_the_global_rng_unchanged(trial_of):
    before = torch.get_rng_state()
    model = initialized_model(trial_of(width=64, output_mult=2.0))
    assert torch.equal(torch.get_rng_state(), before)
    assert model.final.readout.input_mult == 2.0 / 4
    mup.param_groups(model, plan(trial_of(width=64, output_mult=2.0)), lr=1.0)


def test_threads_are_those_of_the_trial(trial_of):
    Training(trial_of(threads=2))
    assert torch.get_num_threads() == 2
    Training(trial_of(threads=1))
    assert torch.get_num_threads() == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_gpu_is_named(trial_of):
    with pytest.raises(ConfigError, match="cuda"):
        Training(trial_of(device="cuda"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # raised inside torch's compiler
def test_a_compiled_run_ends_near_the_eager_one(trial_of):
    eager, compiled = (trained(trial_of(compile=c))[2].val_loss for c in (False, True))
    assert compiled == pytest.approx(eager, rel=1e-3) and math.isfinite(compiled)
