"""Laws that all families share, and the data that each needs."""

import dataclasses
import re

import pytest
import torch

from mutransfer.proxies import models
from mutransfer.proxies.batch import DataInfo, condition
from mutransfer.proxies.diffusion.objective import DDPM, RectifiedFlow
from mutransfer.proxies.diffusion.sampler import sample
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.rng import generator
from tests.proxies.family_cases import FAMILIES, INFO, MODELS, batch_of, builder, scrambled, seeded

every_family = pytest.mark.parametrize("family", FAMILIES)

READ = {
    "dit": ("label",),
    "uvit": ("label",),
    "pixart": ("caption", "caption_mask"),
    "mmdit": ("caption", "pooled"),
}

SIZE = 5

TIMES = torch.tensor([10.0, 200.0, 400.0, 600.0, 990.0])

WITHOUT = {"dit": {"repa_block": None}, "mmdit": {"repa_block": None}}


def plain(family, make=scrambled, **changes):
    return make(builder(family, **WITHOUT.get(family, {}) | changes), 32)


def batch(**changes):
    return batch_of(SIZE, dtype=torch.float32) | changes


@every_family
def test_the_prediction_has_the_shape_of_the_image_or_twice_its_channels(family):
    inputs = batch()
    shape = inputs["image"].shape
    assert plain(family)(inputs["image"], TIMES, inputs).shape == shape
    twice = plain(family, learn_sigma=True)(inputs["image"], TIMES, inputs)
    assert twice.shape == (shape[0], 2 * shape[1], *shape[2:])


@every_family
def test_a_zero_readout_predicts_zero_at_initialization_and_another_does_not(family):
    inputs = batch()
    zero = plain(family, seeded, zero_readout=True)
    assert not zero(inputs["image"], TIMES, inputs).any()
    assert plain(family, seeded)(inputs["image"], TIMES, inputs).std() > 0.1


def changed(name, part):
    """The part with its first sample changed."""
    other = part.clone()
    if name == "caption_mask":
        other[0] = True
    else:
        other[0] = (part[0] + 1) % 10 if name == "label" else part[0] + 1
    return other


@every_family
def test_the_prediction_depends_on_its_own_image_time_and_condition_alone(family):
    model, inputs = plain(family), batch()
    out = model(inputs["image"], TIMES, inputs)
    seen = {"image", "time"}
    for name in ("image", "time", "label", "caption", "caption_mask", "pooled"):
        if name == "time":
            changed_out = model(inputs["image"], changed("time", TIMES), inputs)
        else:
            other = inputs | {name: changed(name, inputs[name])}
            changed_out = model(other["image"], TIMES, other)
        torch.testing.assert_close(changed_out[1:], out[1:], rtol=1e-4, atol=1e-5)
        is_read = (changed_out[0] - out[0]).abs().max() > 1e-3
        assert is_read == (name in seen or name in READ[family]), name


@every_family
def test_the_prediction_depends_on_the_order_of_patches(family):
    """Positions break the symmetry of patches: without them, moved patches are moved outputs."""
    changes = {"conv": False} if family == "uvit" else {}
    model, inputs = plain(family, **changes), batch()
    moved = torch.cat([inputs["image"][..., 4:], inputs["image"][..., :4]], dim=-1)

    def gap():
        out = model(inputs["image"], TIMES, inputs)
        back = torch.cat([out[..., 4:], out[..., :4]], dim=-1)
        return (model(moved, TIMES, inputs) - back).abs().max()

    assert gap() > 1e-3
    model.pos_TD.detach()[-4:].zero_()
    assert gap() < 1e-4


def beyond_the_mask(model):
    inputs = batch()
    hidden = ~inputs["caption_mask"][..., None]
    other = inputs | {"caption": inputs["caption"] + 5 * hidden}
    changed_out, out = (model(x["image"], TIMES, x) for x in (other, inputs))
    return (changed_out - out).abs().amax(dim=(1, 2, 3))


@pytest.mark.parametrize(
    ("family", "changes", "is_blind"),
    [
        ("pixart", {}, True),
        ("mmdit", {"mask_caption": True}, True),
        ("mmdit", {"mask_caption": False}, False),
    ],
)
def test_padding_of_captions_is_seen_only_where_an_option_allows_it(family, changes, is_blind):
    gap = beyond_the_mask(plain(family, **changes))
    assert (gap[:-1].max() < 1e-5) == is_blind
    assert gap[-1] == 0, "a caption of full length has nothing beyond"


def test_a_zero_adaln_mmdit_block_is_the_identity_at_initialization_and_a_fan_in_one_is_not():
    x, y, c = torch.randn(2, 4, 32), torch.randn(2, 5, 32), torch.randn(2, 32)
    zero = plain("mmdit", seeded, adaln="zero").blocks[0](x, y, c, None)
    assert torch.equal(zero[0], x) and torch.equal(zero[1], y)
    moved = plain("mmdit", seeded).blocks[0](x, y, c, None)
    assert (moved[0] - x).std() > 0.1 and (moved[1] - y).std() > 0.1


def test_a_zero_cross_attention_reads_no_caption_at_initialization():
    inputs = batch()
    other = inputs | {"caption": inputs["caption"] + 1}
    zero = plain("pixart", seeded, zero_cross_attention=True)
    assert torch.equal(*(zero(x["image"], TIMES, x) for x in (inputs, other)))


@every_family
def test_fixed_parts_are_neither_trained_nor_saved(family):
    model = plain(family)
    assert model.state_dict().keys() == dict(model.named_parameters()).keys()
    assert all(p.requires_grad for p in model.parameters())


@every_family
def test_every_tensor_has_a_gradient(family):
    model, inputs = scrambled(builder(family), 32), batch()
    out = model(inputs["image"], TIMES, inputs)
    parts = out if isinstance(out, tuple) else (out,)
    sum(part.square().sum() for part in parts).backward()
    assert [
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


def test_families_without_captions_use_the_label_and_the_same_tensors():
    for family in ("dit", "uvit"):
        names = dict(plain(family).named_parameters()).keys()
        bare = dataclasses.replace(INFO, caption=None, pooled=None)
        assert (
            names
            == dict(builder(family, bare, **WITHOUT.get(family, {}))(32).named_parameters()).keys()
        )


BARE = DataInfo(shape=(1, 8, 8), n_classes=10)

POOLLESS = DataInfo(shape=(1, 8, 8), n_classes=10, caption=(5, 6))

COARSE = dataclasses.replace(INFO, feature=(16, 9))


@pytest.mark.parametrize(
    ("family", "info", "changes", "text"),
    [
        ("pixart", BARE, {}, "data: pixart is conditioned on captions; got data without captions"),
        ("mmdit", BARE, {"repa_block": None}, "take data with captions, or the family dit or uvit"),
        ("mmdit", POOLLESS, {"repa_block": None}, "model.pooled: .* set `pooled: false`"),
        ("dit", BARE, {}, "model.repa_block: .* got block 0, and data without features"),
        ("dit", COARSE, {}, "4 patches of the image need 4 features; got 16 features of an image"),
        ("mmdit", INFO, {"repa_block": 2}, r"blocks 0 … 1; got 2; take 1"),
        ("uvit", INFO, {"depth": 4}, "its depth is odd; got 4; take 3 or 5"),
        ("uvit", INFO, {"head_dim": 5}, "a time sine-cosine embedding needs"),
        ("pixart", INFO, {"patch_size": 3}, "the patch size divides the image side, 8"),
        ("dit", dataclasses.replace(INFO, shape=(1, 8, 4)), {}, "images are square"),
    ],
)
def test_data_or_options_that_do_not_fit_a_family_are_named(family, info, changes, text):
    config = dataclasses.replace(MODELS[family], **changes)
    width = 5 * config.head_dim
    with pytest.raises(ConfigError, match=text) as raised:
        models.build(config, width, info)
    assert re.search("take|set|crop|leave|change", str(raised.value)), "it says what to do"


def test_mmdit_without_pooled_captions_is_a_choice():
    model = plain("mmdit", pooled=False)
    inputs = batch()
    del inputs["pooled"]
    assert model(inputs["image"], TIMES, inputs).shape == inputs["image"].shape


@every_family
@pytest.mark.parametrize("learn_sigma", [False, True])
def test_guidance_goes_from_no_condition_through_the_condition(family, learn_sigma):
    """One Euler step of each family, a projector's output ignored; variances are not guided."""
    model = scrambled(builder(family, learn_sigma=learn_sigma), 32)
    given, null = conditions(0), conditions(1)
    objective = DDPM(learn_sigma=True) if learn_sigma else RectifiedFlow()

    def sampled(guidance, null):
        rng = generator("guidance")
        options = {"shape": INFO.shape, "rng": rng, "steps": 1, "guidance": guidance}
        return sample(objective, model, given, null=null, **options)

    plain = sampled(1.0, null)
    assert plain.shape == (SIZE, *INFO.shape) and plain.isfinite().all()
    torch.testing.assert_close(sampled(3.0, given), plain, rtol=1e-4, atol=1e-4)
    free, twice = sampled(0.0, null), sampled(2.0, null)
    assert (gap := (plain - free).abs().max()) > 1e-3
    assert ((twice - plain) - (plain - free)).abs().max() < 0.01 * gap


def conditions(seed):
    return condition(batch_of(SIZE, dtype=torch.float32, seed=seed))


def test_a_model_that_cannot_be_built_names_all_its_faults():
    config = dataclasses.replace(MODELS["dit"], patch_size=3)
    with pytest.raises(ConfigError, match=r"head_dim = 8; got 36.*patch size divides"):
        models.build(config, 36, INFO)
