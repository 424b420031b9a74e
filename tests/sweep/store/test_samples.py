"""Samples in the run directory: of the transferred set alone, and never at the cost of a row."""

import io

import pytest
import torch
from PIL import Image

from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import worker
from mutransfer.sweep.store import samples
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of


def run(store: Store, *, asked_by: str = "set", width: int = 16, seed: int = 1) -> TrialRequest:
    config = trial(study_of(TINY), axis_value=width, arm="mup", hps={"lr": 2**-6}, seed=seed)
    request = TrialRequest(config=config, asked_by=asked_by)
    for _ in worker.run(request, "tiny", store, checkpoint_every_s=1e9):
        pass
    return request


def test_the_gallery_is_of_the_widest_set_and_no_other_stage_or_seed_is_sampled(tmp_path):
    store = Store(str(tmp_path))
    run(store, asked_by="slices", width=32)
    run(store, seed=2)
    assert samples.gallery(store.table(), store) is None
    run(store)
    wide = run(store, width=24)
    gallery = samples.gallery(store.table(), store)
    assert (gallery.trial_id, gallery.axis_value) == (wide.trial_id, 24)
    for png in (gallery.pairs[0].real_png, gallery.pairs[0].drawn_png):
        assert Image.open(io.BytesIO(png)).size == (8, 8)
    assert gallery.pairs[0].text.startswith("class ")


def test_a_failure_of_sampling_costs_no_row(tmp_path, monkeypatch, caplog):
    def broken(training):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(samples, "sample_pairs", broken)
    store = Store(str(tmp_path))
    assert store.read_row(run(store).trial_id)["status"] == "done"
    assert samples.gallery(store.table(), store) is None
    assert "out of memory" in caplog.text


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_images_are_grey_or_in_colour(channels, mode):
    png = samples._png(torch.full((4, 4, channels), 200, dtype=torch.uint8))
    image = Image.open(io.BytesIO(png))
    assert image.mode == mode and image.getpixel((1, 1)) in (200, (200,) * 3)
