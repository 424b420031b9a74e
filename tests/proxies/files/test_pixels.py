"""Pixels of image files: decoding, conversion, cache, and every way in which they can be wrong."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from mutransfer.proxies.data.images import load
from tests.proxies.data.image_folder import config, faults_of, write


def test_decoding_is_kept_by_content_and_name(tmp_path, monkeypatch):
    folder = write(tmp_path / "a")
    monkeypatch.setenv("MUTRANSFER_CACHE", str(tmp_path / "cache"))
    first = load(config(folder))
    monkeypatch.setattr(
        "mutransfer.proxies.files.pixels._decode_all", lambda *a: pytest.fail("again")
    )
    assert load(config(folder)).fingerprint == first.fingerprint


def test_mixed_sizes_and_modes_are_named_unless_they_may_be_converted(tmp_path):
    write(tmp_path)
    Image.new("RGB", (12, 8), (200, 0, 0)).save(tmp_path / "red" / "wide.png")
    Image.new("RGBA", (8, 8), (200, 0, 0, 255)).save(tmp_path / "red" / "alpha.png")
    Image.new("L", (8, 8), 100).save(tmp_path / "red" / "grey.png")
    (text,) = faults_of(tmp_path)
    for phrase in ("3 of 13", "red/wide.png (12×8 RGB)", "red/grey.png (8×8 L)", "resize: true"):
        assert phrase in text
    assert load(config(tmp_path, resize=True)).info.shape == (3, 8, 8)
    assert load(config(tmp_path, resize=True, channels=1)).info.shape == (1, 8, 8)


def test_resizing_keeps_the_middle_and_puts_it_on_white(tmp_path):
    wide = np.zeros((8, 24, 4), np.uint8)
    wide[:, 8:16] = (255, 0, 0, 255)  # the middle; left and right are transparent
    for i in range(2):
        Image.fromarray(wide).save(tmp_path / f"{i}.png")
    image = load(config(tmp_path, resize=True)).validation()["image"][0]
    assert torch.equal(image[:, 4, 4], torch.tensor([1.0, -1.0, -1.0]))
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "0.png")
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "1.png")
    assert (load(config(tmp_path, resize=True)).validation()["image"] == 1).all()


def test_a_mode_that_loses_values_is_never_converted(tmp_path):
    for i in range(2):
        Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / f"{i}.png")
    (text,) = faults_of(tmp_path, resize=True)
    assert "I;16" in text and "convert them yourself" in text


def test_corrupt_images_are_named_and_skipped_only_if_the_user_says_so(tmp_path):
    write(tmp_path, captions=True)
    content = (tmp_path / "red" / "0.png").read_bytes()
    (tmp_path / "red" / "0.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "blue" / "1.png").write_bytes(b"no image")
    (text,) = faults_of(tmp_path)
    assert "2 of 10" in text and "red/0.png" in text and "blue/1.png" in text
    assert "skip_unreadable: true" in text
    fed = load(config(tmp_path, skip_unreadable=True))
    assert len(fed.batch(0, 0, 6)["label"]) == 6 and len(fed.validation()["label"]) == 2


def half_transparent(mode):
    """The left half dark red or grey, the right half transparent, and options to save it with."""
    if mode == "P":
        image = Image.new("P", (8, 8), 1)
        image.putpalette([0, 0, 0, 100, 0, 0])
        image.paste(0, (4, 0, 8, 8))
        return image, {"transparency": 0}
    image = Image.new("RGBA", (8, 8), (100, 0, 0, 255))
    image.paste((0, 0, 0, 0), (4, 0, 8, 8))
    return image.convert(mode), {}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_where_an_image_is_transparent_white_shows_through(tmp_path, mode):
    image, save = half_transparent(mode)
    for number in range(2):
        image.save(tmp_path / f"{number}.png", **save)
    pixels = load(config(tmp_path, resize=True)).validation()["image"][0]
    assert (pixels[:, :, 5:] == 1).all() and (pixels[1, :, :4] < 0).all()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_grey_or_colour_that_stands_for_transparent_is_white(tmp_path, mode):
    blank = Image.new(mode, (8, 8), 40 if mode == "L" else (40, 40, 40))
    blank.paste(0 if mode == "L" else (0, 0, 0), (4, 0, 8, 8))
    for number in range(2):
        blank.save(tmp_path / f"{number}.png", transparency=0 if mode == "L" else (0, 0, 0))
    pixels = load(config(tmp_path, resize=True)).validation()["image"][0]
    assert (pixels[:, :, 5:] == 1).all() and (pixels[:, :, :4] < 0).all()
    (text,) = faults_of(tmp_path, channels=1 if mode == "L" else 3)
    assert f"{mode} with transparency" in text


def test_an_image_is_turned_as_its_camera_says(tmp_path):
    image = Image.new("RGB", (8, 8), "white")
    image.paste("black", (0, 0, 8, 4))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90° clockwise to show it
    for number in range(2):
        image.save(tmp_path / f"{number}.png", exif=exif)
    pixels = load(config(tmp_path)).validation()["image"][0]
    assert (pixels[:, :, :4] == 1).all() and (pixels[:, :, 4:] == -1).all()


def swapped_profile():
    """The profile of a screen whose red and blue are exchanged."""
    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = content.replace("sRGB".encode("utf-16-be"), "odd ".encode("utf-16-be"))
    for old, new in ((b"rXYZ", b"????"), (b"bXYZ", b"rXYZ"), (b"????", b"bXYZ")):
        content = content.replace(old, new)
    return content


def test_a_colour_profile_is_applied_and_srgb_or_a_broken_one_changes_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profiles = {"odd": swapped_profile(), "srgb": srgb, "broken": b"no profile", "none": None}
    for name, profile in profiles.items():
        (tmp_path / name).mkdir()
        for number in range(2):
            image = Image.new("RGB", (8, 8), (200, 0, 0))
            image.save(tmp_path / name / f"{number}.png", icc_profile=profile)
    fed = {name: load(config(tmp_path / name)) for name in profiles}
    assert fed["srgb"].fingerprint == fed["broken"].fingerprint == fed["none"].fingerprint
    red, _, blue = fed["odd"].validation()["image"][0].mean(dim=(1, 2)).tolist()
    assert blue > 0.4 and red < -0.9


def test_cmyk_is_shown_in_its_colours(tmp_path):
    for number in range(2):
        Image.new("RGB", (8, 8), (200, 0, 0)).convert("CMYK").save(tmp_path / f"{number}.jpg")
    pixels = load(config(tmp_path, resize=True)).validation()["image"][0]
    assert (pixels[0] > 0.4).all() and (pixels[1:] < -0.9).all()


@pytest.mark.parametrize(("aspect", "left"), [("crop", -1.0), ("pad", 1.0)])
def test_an_image_that_is_no_square_is_cropped_or_padded_or_refused(tmp_path, aspect, left):
    for number in range(2):
        Image.new("RGB", (8, 24)).save(tmp_path / f"{number}.png")
    pixels = load(config(tmp_path, resize=True, aspect=aspect)).validation()["image"][0]
    assert pixels[0, 4, 0] == left and pixels[0, 4, 4] == -1
    (text,) = faults_of(tmp_path, resize=True, aspect="refuse")
    assert "squares" in text and "8×24" in text and "`aspect: crop` or `pad`" in text
