"""A look at latents: each way in which their values mislead is named before any trial."""

import dataclasses

import pytest
import torch

from mutransfer.proxies import data
from mutransfer.proxies.data import latents
from mutransfer.proxies.errors import DataError
from mutransfer.proxies.files import shard_stats
from tests.proxies.data.test_latents import N, config, parts, write

IN_ROW_2_OF_SHARD_1 = 9


def look(folder, samples, **options):
    return data.look(config(write(folder, samples), **options))


def faults(folder, samples, **options):
    with pytest.raises(DataError) as caught:
        look(folder, samples, **options)
    return str(caught.value)


def changed(name, change):
    samples = parts()
    samples[name] = change(samples[name].clone())
    return samples


def with_value(value, row=IN_ROW_2_OF_SHARD_1):
    def change(part):
        part[row].view(-1)[3] = value
        return part

    return change


def test_good_latents_have_no_fault_and_are_described(tmp_path):
    found = look(tmp_path, parts())
    assert found.warnings == ()
    text = "\n".join(found.lines)
    assert f"{N} latents [4, 8, 8] in 2 shards" in text
    assert "5 of 5 classes occur, each 4 to 4" in text
    assert "captions have no token: the null caption" in text


@pytest.mark.parametrize("name", ["image", "caption", "pooled", "feature"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_value_that_is_not_finite_is_named_by_part_shard_and_row(tmp_path, name, value):
    text = faults(tmp_path, changed(name, with_value(value)))
    assert f"`{name}` is finite" in text
    assert "in 1, the first in row 2 of 001.safetensors" in text


@pytest.mark.parametrize("name", ["image", "caption", "pooled", "feature"])
def test_no_such_value_reaches_a_model_even_if_nobody_looked(tmp_path, name):
    fed = latents.load(config(write(tmp_path, changed(name, with_value(torch.nan)))))
    fed.take(torch.tensor([0, 1]))  # the control
    with pytest.raises(DataError, match=f"`{name}` is finite"):
        fed.take(torch.tensor([0, IN_ROW_2_OF_SHARD_1]))


@pytest.mark.parametrize(
    ("change", "n_classes", "message"),
    [
        (lambda y: y + 1, 5, "add `first_label: 1`"),
        (lambda y: y, 4, "set `n_classes: 5`"),
        (lambda y: y - 1, 5, "-1 to 3"),
        (lambda y: y + 0.5, 5, "whole numbers"),
    ],
)
def test_labels_out_of_range_are_told_with_the_remedy(tmp_path, change, n_classes, message):
    assert message in faults(tmp_path, changed("label", change), n_classes=n_classes)


def test_labels_that_begin_at_1_are_read_as_classes_and_not_as_the_null_label(tmp_path):
    samples = changed("label", lambda y: y + 1)
    named = config(write(tmp_path, samples), first_label=1)
    assert data.look(named).warnings == ()
    rows = torch.arange(N)
    assert torch.equal(latents.load(named).take(rows)["label"], parts()["label"].long())
    with pytest.raises(DataError, match="labels are 0 to n_classes - 1 = 4"):
        latents.load(config(tmp_path)).take(rows)


def test_an_additive_mask_is_refused_and_one_of_numbers_is_read(tmp_path):
    additive = changed("caption_mask", lambda mask: torch.where(mask, 0.0, -1e4))
    assert "write `mask == 0`" in faults(tmp_path / "a", additive)
    numbers = changed("caption_mask", lambda mask: mask.long())
    assert look(tmp_path / "b", numbers).lines == look(tmp_path / "c", parts()).lines


@pytest.mark.parametrize(
    ("raw", "remedy"),
    [
        (lambda x: x * 5.5 + 1.2, "`vae: sd`"),
        (lambda x: x * 0.03, "measured here: `scale: [33"),
        (lambda x: x + 3, "`shift: ["),
        (lambda x: x * 0, "each channel is constant"),
    ],
)
def test_latents_far_from_unit_variance_are_refused_with_what_would_mend_them(
    tmp_path, raw, remedy
):
    samples = changed("image", lambda x: raw(x.float()))
    assert remedy in faults(tmp_path, samples)


def test_scale_and_shift_undo_what_was_done_to_latents(tmp_path):
    samples = changed("image", lambda x: x.float() * 4 + 2)
    named = config(write(tmp_path, samples), scale=0.25, shift=(2.0, 2.0, 2.0, 2.0))
    assert data.look(named).warnings == ()
    taken = latents.load(named).take(torch.arange(N))["image"]
    assert torch.allclose(taken, parts()["image"].float(), atol=1e-5)
    assert data.identity(named) != data.identity(dataclasses.replace(named, scale=0.5))


def test_an_autoencoder_is_named_for_its_constants(tmp_path):
    raw = changed("image", lambda x: x.float() / 0.18215)
    found = look(tmp_path, raw, vae="sd")
    assert found.warnings == () and "std 1" in found.lines[0]


def test_a_declared_scale_is_believed_and_warned_of(tmp_path):
    samples = changed("image", lambda x: x.float() * 5.5)
    (warning,) = look(tmp_path, samples, scale=1.0).warnings
    assert "far from unit variance" in warning


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vae": "sd5"}, "one of sd (4 channels)"),
        ({"vae": "flux"}, "16 channels"),
        ({"vae": "sd", "scale": 1.0}, "either `vae`, or"),
        ({"scale": (1.0, 1.0)}, "4 channels"),
        ({"scale": -1.0}, "greater than 0"),
        ({"keys": {"latents": "image"}}, "`keys` names the tensors of image"),
    ],
)
def test_options_that_contradict_each_other_are_named_without_any_file(tmp_path, options, message):
    with pytest.raises(DataError) as caught:
        data.info(config(tmp_path / "nowhere", **options))
    assert message in str(caught.value)


def test_options_that_change_nothing_leave_the_identity_of_a_trial(tmp_path):
    named = config(write(tmp_path))
    assert set(data.identity(named)) == {
        "fingerprint", "label_dropout", "caption_dropout", "val_draws",
    }  # fmt: skip


def test_latents_that_are_not_there_are_told_and_a_folder_of_something_else_is_a_fault(tmp_path):
    (warning,) = data.look(config(tmp_path / "nowhere")).warnings
    assert "not looked at" in warning
    (tmp_path / "0.npy").write_bytes(b"x")
    with pytest.raises(DataError, match="safetensors shards"):
        data.look(config(tmp_path))


def test_what_was_seen_is_kept_until_a_shard_changes(tmp_path, monkeypatch):
    named = config(write(tmp_path / "a"))
    monkeypatch.setenv("MUTRANSFER_CACHE", str(tmp_path / "cache"))
    first = data.look(named)
    with monkeypatch.context() as patch:
        patch.setattr(shard_stats, "stats_of", lambda *_: pytest.fail("again"))
        patch.setattr("mutransfer.proxies.data.latents_look.stats_of", shard_stats.stats_of)
        assert data.look(named) == first
    write(tmp_path / "a", changed("image", with_value(torch.nan)))
    with pytest.raises(DataError, match="finite"):
        data.look(named)


def test_of_too_many_samples_evenly_spaced_blocks_are_looked_at_and_all_labels(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(shard_stats, "BLOCK_BYTES", 1)
    monkeypatch.setattr(shard_stats, "MAX_BYTES", 5 * row_bytes())
    steps = []
    named = config(write(tmp_path, changed("label", lambda y: y * 0)))
    found = data.look(named, lambda *step: steps.append(step))
    assert f"{N} latents [4, 8, 8] in 2 shards, 5 of them looked at" in found.lines[0]
    assert "1 of 5 classes occur, each 20 to 20" in found.lines[1]
    assert steps[-1] == (5, 5)


def row_bytes():
    return sum(part[:1].nbytes for name, part in parts().items() if name != "label")
