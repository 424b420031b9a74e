"""Latents in other formats give the batches of the same latents in safetensors shards."""

import inspect
import io
import json
import pickle
import struct
import tarfile
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mutransfer.proxies import data
from mutransfer.proxies.config.data import LatentsConfig
from mutransfer.proxies.errors import DataError
from mutransfer.proxies.files import formats

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import datasets
    import webdataset

N = 24
IMAGE = np.random.default_rng(0).standard_normal((N, 4, 8, 8)).astype(np.float32)
LABEL = np.arange(N) % 3
DECLARED = {"n_samples": N, "n_validation": 4, "shape": (4, 8, 8), "n_classes": 3}


def config(folder, format_, **changed):
    return LatentsConfig(path=str(folder), format=format_, **(DECLARED | changed))


def write_safetensors(folder):
    for k, rows in enumerate((range(10), range(10, N))):
        part = {"image": torch.tensor(IMAGE[rows]), "label": torch.tensor(LABEL[rows])}
        save_file(part, folder / f"{k}.safetensors")


def write_webdataset(folder):
    for k, rows in enumerate((range(10), range(10, N))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with webdataset.TarWriter(str(folder / f"{k}.tar")) as tar:
                for i in rows:
                    sample = {"__key__": f"{i:05d}", "image.npy": IMAGE[i], "cls": int(LABEL[i])}
                    tar.write(sample)


def write_npy(folder):
    labels = []
    for i in range(N):
        name = f"{i // 10:05d}/img{i:08d}.npy"
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / name, IMAGE[i])
        labels.append([name, int(LABEL[i])])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels[::-1]}))


def write_hf(folder):
    features = datasets.Features(
        image=datasets.Array3D((4, 8, 8), "float32"), label=datasets.Value("int64")
    )
    columns = {"image": IMAGE, "label": LABEL}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(folder))


def write_mds(folder, encodings=("int", "ndarray:float32:4,8,8"), text=None):
    """As `streaming.MDSWriter` does: a column of varying size (a text), a label, a latent."""
    config = {"column_names": ["caption", "label", "image"], "column_sizes": [None, 8, 1024]}
    config |= {"column_encodings": ["str", *encodings], "format": "mds", "compression": None}
    shards = []
    for k, rows in enumerate((range(10), range(10, N))):
        samples = []
        for i in rows:
            caption = (f"number {i}" if text is None else text).encode()
            parts = [struct.pack("<I", len(caption)), caption, LABEL[i].tobytes()]
            samples.append(b"".join([*parts, IMAGE[i].tobytes()]))
        head = json.dumps(config).encode()
        ends = np.array([0, *map(len, samples)]).cumsum() + 4 * (len(samples) + 2) + len(head)
        content = struct.pack("<I", len(samples)) + ends.astype("<u4").tobytes() + head
        content += b"".join(samples)
        name = f"shard.{k:05d}.mds"
        (folder / name).write_bytes(content)
        raw = {"basename": name, "bytes": len(content), "hashes": {}}
        shards.append(config | {"samples": len(samples), "raw_data": raw, "zip_data": None})
    (folder / "index.json").write_text(json.dumps({"version": 2, "shards": shards}))


WRITERS = {
    "webdataset": (write_webdataset, {}),
    "npy": (write_npy, {}),
    "hf": (write_hf, {}),
    "mds": (write_mds, {}),
}


@pytest.mark.parametrize("format_", WRITERS)
def test_a_format_gives_the_batches_of_the_same_latents_in_safetensors(tmp_path, format_):
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    write_safetensors(tmp_path / "ours")
    WRITERS[format_][0](tmp_path / "theirs")
    ours, theirs = (config(tmp_path / a, b) for a, b in (("ours", "safetensors"),
                                                         ("theirs", format_)))  # fmt: skip
    for step in range(3):
        expected, found = (data.load(c).batch(7, step, 5) for c in (ours, theirs))
        assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not torch.equal(expected["image"], data.load(theirs).batch(8, 2, 5)["image"])
    assert "3 of 3 classes occur, each 8 to 8 times" in data.look(theirs).lines
    assert data.identity(theirs)["fingerprint"] == data.identity(theirs)["fingerprint"]


@pytest.mark.parametrize("format_", WRITERS)
def test_the_identity_of_a_format_is_its_content(tmp_path, format_):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        WRITERS[format_][0](tmp_path / name)
    a, b = (config(tmp_path / name, format_) for name in ("a", "b"))
    if format_ != "webdataset":  # tars hold the time of writing
        assert data.identity(a) == data.identity(b)
    written = [p for p in (tmp_path / "b").rglob("*") if p.is_file() and p.suffix != ".json"]
    largest = max(written, key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    assert data.identity(a) != data.identity(b)


@pytest.mark.parametrize("format_", WRITERS)
def test_values_that_are_not_finite_and_other_shapes_are_found(tmp_path, format_, monkeypatch):
    spoilt = IMAGE.copy()
    spoilt[13, 0, 0, 0] = np.nan
    monkeypatch.setattr(f"{__name__}.IMAGE", spoilt)
    WRITERS[format_][0](tmp_path)
    with pytest.raises(DataError, match=r"`image` is finite.*NaN or infinity in 1"):
        data.look(config(tmp_path, format_))
    with pytest.raises(DataError, match=r"as declared; got \[\d+, 4, 8, 8\]"):
        data.load(config(tmp_path, format_, shape=(8, 8, 8)))


def add_to_tar(path, name, content):
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def objects():
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def test_pickles_are_never_loaded(tmp_path):
    with pytest.raises(pytest.fail.Exception):  # the control: loading it is seen
        pickle.loads(pickle.dumps(Trap()))
    tar = tmp_path / "tar"
    tar.mkdir()
    add_to_tar(tar / "0.tar", "a.pkl", pickle.dumps(Trap()))
    with pytest.raises(DataError, match="pickles are not read"):
        data.load(config(tar, "webdataset", keys={"image": "pkl"}))
    add_to_tar(tar / "0.tar", "a.cls", b"0")
    with pytest.raises(DataError, match=r"has cls; no image\.npy"):
        data.load(config(tar, "webdataset"))
    npy = tmp_path / "npy"
    npy.mkdir()
    write_npy(npy)
    (npy / "00000" / "img00000000.npy").write_bytes(objects())
    with pytest.raises(DataError, match="pickled objects are not read"):
        data.load(config(npy, "npy"))
    mds = tmp_path / "mds"
    mds.mkdir()
    write_mds(mds, encodings=("int", "pkl"))
    with pytest.raises(DataError, match=r"the encoding pkl.*pickles are not read"):
        data.load(config(mds, "mds"))
    hf = tmp_path / "hf"
    column = [pickle.dumps(Trap())] * N
    datasets.Dataset.from_dict({"image": column, "label": LABEL}).save_to_disk(str(hf))
    with pytest.raises(DataError, match=r"got binary; .*pickles are not read"):
        data.load(config(hf, "hf"))


def test_torn_and_missing_files_are_named(tmp_path):
    write_webdataset(tmp_path)
    tar = tmp_path / "1.tar"
    tar.write_bytes(tar.read_bytes()[:30000])
    with pytest.raises(DataError, match=r"1\.tar"):
        data.load(config(tmp_path, "webdataset"))
    write_mds(tmp_path)
    (tmp_path / "shard.00001.mds").unlink()
    with pytest.raises(DataError, match=r"shard\.00001\.mds is there.*no such file"):
        data.load(config(tmp_path, "mds"))
    write_npy(tmp_path)
    (tmp_path / "00001" / "img00000012.npy").unlink()
    with pytest.raises(DataError, match=r"img00000012\.npy: No such file"):
        data.look(config(tmp_path, "npy"))


def test_a_list_cannot_name_files_outside_its_folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(tmp_path / "out.npy", IMAGE[0])
    (folder / "dataset.json").write_text(json.dumps({"labels": [["../out.npy", 0]]}))
    with pytest.raises(DataError, match=r"files below the folder; got \.\./out\.npy"):
        data.load(config(folder, "npy"))


def test_the_means_of_edm2_are_read(tmp_path):
    pair = np.concatenate([IMAGE[0], 9 * np.ones_like(IMAGE[0])])
    np.save(tmp_path / "img-mean-std-00000000.npy", pair)
    np.save(tmp_path / "img-mean-std-00000001.npy", pair)
    names = [[f"img-mean-std-0000000{i}.npy", 0] for i in range(2)]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": names}))
    declared = config(tmp_path, "npy", n_samples=2, n_validation=1, n_classes=1)
    assert np.array_equal(data.load(declared).validation()["image"][0], IMAGE[0])


@pytest.mark.parametrize("format_", WRITERS)
def test_a_folder_of_another_format_is_told(tmp_path, format_):
    WRITERS[format_][0](tmp_path)
    with pytest.raises(DataError, match=f"safetensors shards.*set `format: {format_}`"):
        data.load(config(tmp_path, "safetensors"))


def test_tars_are_indexed_in_little_memory(tmp_path):
    """A million members would be gigabytes of headers; the places of samples are kept."""
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        array = io.BytesIO()
        np.save(array, IMAGE[0])
        for i in range(N):
            for ending, content in (("image.npy", array.getvalue()), ("cls", b"1"), ("txt", b"a")):
                member = tarfile.TarInfo(f"{i:05d}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    (shard,) = formats.parts(config(tmp_path, "webdataset"), {"image": (4, 8, 8), "label": ()})
    places = inspect.getclosurevars(shard["image"]._read).nonlocals["places"]
    assert len(places) == 2 * N and places.itemsize == 8


def test_samples_of_another_shape_or_split_are_refused(tmp_path):
    write_npy(tmp_path)
    np.save(tmp_path / "00001" / "img00000012.npy", IMAGE[0][:, :4])
    with pytest.raises(DataError, match=r"in every sample; got \[4, 4, 8\] in sample 12"):
        data.look(config(tmp_path, "npy"))
