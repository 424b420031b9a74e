"""The section `data`: chosen by its source, its paths relative to the spec, its faults."""

import json

import pytest

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError
from tests.sweep.conftest import study_of, write_spec
from tests.sweep.data_studies import (
    IMAGES,
    LATENTS,
    PIXART,
    pictures,
    tiny_with,
)


@pytest.mark.parametrize(
    ("section", "path", "remedy"),
    [
        ("data: {source: openmojy}", "data.source", "did you mean 'openmoji'"),
        ("data: {val_draws: 1}", "data.source", "digits, openmoji, images, latents"),
        ("data: {source: openmoji, size: 64}", "data.size", "correct"),
        ("data: {source: openmoji, captions_length: 4}", "data.captions_length", "caption_length"),
        ("data: {source: openmoji, caption_length: 4}", "data.caption_length", "truncate: true"),
        ("data: {source: openmoji, features: random_conv, feature_side: 5}", "data.feature_side",
         "patch_size"),
        ("data: {source: openmoji, embeddings: none.safetensors}", "data.embeddings", "correct"),
        ("data: {source: images, size: 8}", "data", "add `path"),
        (IMAGES, "data.path", "no folder"),
        (LATENTS.replace("n_validation: 8", "n_validation: 40"), "data.n_validation", "lower it"),
    ],
)  # fmt: skip
def test_each_fault_of_the_data_has_position_rule_and_remedy(section, path, remedy):
    with pytest.raises(SpecError) as caught:
        study_of(tiny_with(section))
    at_path = [f for f in caught.value.faults if f.path == f"studies.tiny.{path}"]
    assert at_path and at_path[0].line is not None and remedy in str(at_path[0])


def test_a_captioned_family_needs_captions():
    with pytest.raises(SpecError, match="pixart is conditioned on captions"):
        study_of(tiny_with(model=PIXART))
    assert study_of(tiny_with("data: {source: openmoji}", PIXART)).model.family == "pixart"


def test_a_path_is_taken_from_the_folder_of_the_spec(tmp_path, monkeypatch):
    pictures(tmp_path)
    path = write_spec(tmp_path, tiny_with(IMAGES))
    monkeypatch.chdir("/")
    study = spec.read(path)["tiny"]
    assert study.data.path == str(tmp_path / "pictures")
    assert spec.from_resolved(json.loads(json.dumps(study.resolved()))) == study


def test_a_built_in_name_is_no_path():
    section = "data: {source: openmoji, features: random_conv, feature_side: 4}"
    study = study_of(tiny_with(section))
    assert study.data == OpenmojiConfig(features="random_conv", feature_side=4)
