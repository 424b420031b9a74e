"""Memory and time of reading latents from sparse files of 100 GB, by format.

    python benchmarks/data_formats.py [--gb 100] [--folder /tmp/formats]

Each format is read in a process of its own: opening, then batches of 4 at random. The files are
sparse: they take a few MB of disk, and their values are zeros. Anonymous memory is what counts;
pages of files that are mapped into memory are the kernel's to drop.
"""

import argparse
import json
import shutil
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SHAPE = (16, 256, 256)
SAMPLE_BYTES = 4 * 16 * 256 * 256
PER_SHARD = 256
N_BATCHES = 50


def _npy_head() -> bytes:
    import io

    buffer = io.BytesIO()
    head = {"descr": "<f4", "fortran_order": False, "shape": SHAPE}
    np.lib.format.write_array_header_1_0(buffer, head)
    return buffer.getvalue()


def npy(folder: Path, n: int) -> None:
    """Write one sparse file a sample."""
    for i in range(n):
        with (folder / f"{i:08d}.npy").open("wb") as file:
            file.write(_npy_head())
            file.truncate(len(_npy_head()) + SAMPLE_BYTES)
    labels = [[f"{i:08d}.npy", 0] for i in range(n)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))


def webdataset(folder: Path, n: int) -> None:
    """Write sparse tars."""
    for start in range(0, n, PER_SHARD):
        with (folder / f"{start:08d}.tar").open("wb") as file:
            for i in range(start, min(start + PER_SHARD, n)):
                size = len(_npy_head()) + SAMPLE_BYTES
                for name, content, n_bytes in (("image.npy", _npy_head(), size), ("cls", b"0", 1)):
                    member = tarfile.TarInfo(f"{i:08d}.{name}")
                    member.size = n_bytes
                    file.write(member.tobuf())
                    at = file.tell()
                    file.write(content)
                    file.seek(at + -(-n_bytes // 512) * 512)
            file.truncate(file.tell() + 1024)


def mds(folder: Path, n: int) -> None:
    """Write sparse MDS shards."""
    columns = {"column_names": ["label", "image"], "column_sizes": [8, SAMPLE_BYTES]}
    columns["column_encodings"] = ["int", f"ndarray:float32:{','.join(map(str, SHAPE))}"]
    shards = []
    for start in range(0, n, PER_SHARD):
        many = min(PER_SHARD, n - start)
        ends = np.arange(many + 1) * (8 + SAMPLE_BYTES) + 4 * (many + 2)
        name = f"shard.{start:08d}.mds"
        with (folder / name).open("wb") as file:
            file.write(struct.pack("<I", many) + ends.astype("<u4").tobytes())
            file.truncate(int(ends[-1]))
        raw = {"basename": name, "bytes": int(ends[-1])}
        shards.append(columns | {"format": "mds", "samples": many, "raw_data": raw})
    (folder / "index.json").write_text(json.dumps({"shards": shards}))


def safetensors(folder: Path, n: int) -> None:
    """Write sparse safetensors shards."""
    for start in range(0, n, PER_SHARD):
        many = min(PER_SHARD, n - start)
        end = many * SAMPLE_BYTES
        image = {"dtype": "F32", "shape": [many, *SHAPE], "data_offsets": [0, end]}
        label = {"dtype": "I64", "shape": [many], "data_offsets": [end, end + 8 * many]}
        head = json.dumps({"image": image, "label": label}).encode()
        with (folder / f"{start:08d}.safetensors").open("wb") as file:
            file.write(struct.pack("<Q", len(head)) + head)
            file.truncate(8 + len(head) + end + 8 * many)


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "safetensors": safetensors,
    "webdataset": webdataset,
    "mds": mds,
    "npy": npy,
}


def anonymous_mb() -> float:
    """Return the anonymous memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def measure(folder: Path, format_: str, n: int) -> None:
    """Print what reading a folder takes."""
    from mutransfer.proxies import data
    from mutransfer.proxies.config.data import LatentsConfig

    config = LatentsConfig(
        path=str(folder), format=format_, n_samples=n, n_validation=4, shape=SHAPE,  # type: ignore[arg-type]
        n_classes=1, fingerprint="zeros",
    )  # fmt: skip
    before, start = anonymous_mb(), time.perf_counter()
    source = data.load(config)
    opened_s, opened_mb = time.perf_counter() - start, anonymous_mb() - before
    start, peak = time.perf_counter(), 0.0
    for step in range(N_BATCHES):
        source.batch(0, step, 4)
        peak = max(peak, anonymous_mb() - before)
    batch_ms = (time.perf_counter() - start) / N_BATCHES * 1000
    sizes = f"{n * SAMPLE_BYTES / 1e9:.0f} GB in {n:,} samples"
    print(f"{format_:12} {sizes}: open {opened_s:.2f} s, {opened_mb:.0f} MB; "
          f"{batch_ms:.1f} ms a batch, at most {peak:.0f} MB")  # fmt: skip


def main() -> None:
    """Write and read every format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=100)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/mutransfer-formats"))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    n = max(8, int(args.gb * 1e9 / SAMPLE_BYTES))
    if args.measure:
        measure(args.folder / args.measure, args.measure, n)
        return
    for name, write in WRITERS.items():
        folder = args.folder / name
        folder.mkdir(parents=True)
        try:
            write(folder, n)
            words = ["--gb", str(args.gb), "--folder", str(args.folder), "--measure", name]
            subprocess.run([sys.executable, __file__, *words], check=True)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
