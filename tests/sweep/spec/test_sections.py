"""What the sections of a study derive from their own values."""

import pytest

from mutransfer.proxies.config.model import CustomConfig
from mutransfer.sweep.spec.sections import LADDERS, Resources, Tolerance, Transfer, search_at


def test_the_ladder_is_the_one_under_the_key_of_the_axis():
    ladders = {"widths": (8, 16), "batch_sizes": (1, 2), "steps": (3, 4), "depths": (5, 6)}
    for axis, key in LADDERS.items():
        assert Transfer(axis=axis, **ladders).axis_values == ladders[key]
        assert Transfer(axis=axis, **{**ladders, key: None}).axis_values == ()  # no other's


def test_the_depth_of_a_custom_model_is_no_place_of_a_search(tiny):
    given = {"train": tiny.train, "search": tiny.search}
    own = CustomConfig(build="own:build", loss="own:loss", base_width=16)
    with pytest.raises(ValueError, match="choose another axis"):
        search_at("depth", model=own, **given)
    assert search_at("steps", model=own, **given) == tiny.train.steps
    assert search_at("depth", model=tiny.model, **given) == tiny.model.depth


@pytest.mark.parametrize("kind", ["rel_loss", "abs_loss", "share_of_width_gain"])
def test_a_tolerance_has_the_name_and_the_number_that_are_given(kind):
    tolerance = Tolerance(**{kind: 0.25})
    assert (tolerance.kind, tolerance.value) == (kind, 0.25)


def test_a_share_of_a_gpu_is_a_gpu_and_a_share_of_a_cpu_one_thread():
    devices = [Resources(gpus_per_trial=share).device for share in (0, 0.25, 1)]
    assert devices == ["cpu", "cuda", "cuda"]
    assert [Resources(cpus_per_trial=n).threads for n in (0.5, 1, 2.9)] == [1, 1, 2]
