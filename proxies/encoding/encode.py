"""A folder of images becomes shards of latents, one after the other.

A shard is a function of its images, their captions and the recipe, so that a run that is killed
and repeated writes the shards that a run in one go does, to the bit, on the same machine.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mutransfer.proxies.config.data import ImagesConfig, LatentsConfig
from mutransfer.proxies.data.images import loose_faults, pixel_faults, read_folder
from mutransfer.proxies.encoding.autoencoder import Autoencoder
from mutransfer.proxies.encoding.captions import TextEncoder
from mutransfer.proxies.encoding.output import Output
from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files.pixels import decode

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
Progress = Callable[[int, int], None]
# Part of the recipe: raise it where the shards of a recipe change.
_RULES = 1


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to encode, by what, and into what.

    Attributes:
        images: The folder and how it is read; `channels` is the autoencoder's.
        vae: An AutoencoderKL: a folder, or its name on the Hugging Face Hub.
        out: The folder of the shards.
        text_encoder: A text encoder, likewise; None: captions stay texts.
        tokenizer: Its tokenizer, where it is elsewhere.
        caption_length: L, tokens of a caption; None: the encoder's, at most 77.
        shard_samples: Images of a shard.
        batch_samples: Images encoded at once.
        dtype: Number format of latents and embeddings in the shards.
        device: Where to compute.
    """

    images: ImagesConfig
    vae: str
    out: Path
    text_encoder: str | None = None
    tokenizer: str | None = None
    caption_length: int | None = None
    shard_samples: int = 1024
    batch_samples: int = 16
    dtype: str = "float16"
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What encoding wrote.

    Attributes:
        config: The shards as a source of data.
        lines: What there is and what is left out, as sentences.
    """

    config: LatentsConfig
    lines: list[str] = field(default_factory=list)


class _Shard(NamedTuple):
    """The images of one shard."""

    name: str
    images: list[str]
    labels: list[int]
    texts: list[str] | None


@dataclass(kw_only=True)
class _Counts:
    samples: int = 0
    validation: int = 0
    kept: int = 0
    cut: int = 0
    unreadable: int = 0


def encode(options: Options, progress: Progress | None = None) -> Encoded:
    """Write the shards that are not there yet; return what there is then.

    Args:
        options: What to encode.
        progress: Called after each batch with the images done and in all.

    Raises:
        DataError: images, models or a folder that cannot be used, or values that are not finite.
    """
    autoencoder = Autoencoder(options.vae, options.device)
    reading = _reading(options, autoencoder.image_channels)
    shape = autoencoder.shape(reading.size)
    shards, classes, lines = _shards(reading, options.shard_samples)
    text_encoder = None
    if options.text_encoder is not None and shards[0].texts is not None:
        text_encoder = TextEncoder(
            options.text_encoder,
            tokenizer=options.tokenizer,
            length=options.caption_length,
            device=options.device,
        )
    output = Output(options.out, _recipe(options, reading, autoencoder, text_encoder, classes))
    work = _Work(options, reading, autoencoder, text_encoder, progress)
    work.n = sum(len(shard.images) for shard in shards)
    for shard in shards:
        work.write(shard, output)
    lines += work.lines(shards, autoencoder)
    sizes = work.sizes
    return Encoded(
        config=LatentsConfig(
            path=str(options.out),
            n_samples=work.counts.samples,
            n_validation=work.counts.validation or max(1, min(4096, work.counts.samples // 10)),
            validation="last" if work.counts.validation else "random",
            shape=shape,
            n_classes=len(classes),
            caption=sizes and (sizes[0], sizes[1]),
            pooled=sizes and sizes[2],
            scale=1.0,  # the autoencoder's is applied: another variance is a warning
        ),
        lines=lines,
    )


class _Work:
    """The encoding of shard after shard."""

    def __init__(
        self,
        options: Options,
        reading: ImagesConfig,
        autoencoder: Autoencoder,
        text_encoder: TextEncoder | None,
        progress: Progress | None,
    ) -> None:
        self._options, self._reading, self._progress = options, reading, progress
        self._autoencoder, self._text_encoder = autoencoder, text_encoder
        self.counts, self.n, self._done = _Counts(), 0, 0
        self.sizes: tuple[int, int, int] | None = None

    def write(self, shard: _Shard, output: Output) -> None:
        """Write a shard unless it is there, whole and of the same images and captions."""
        inputs = _inputs_digest(Path(self._reading.path), shard)
        metadata = output.metadata(shard.name)
        if metadata.get("inputs") == inputs:
            self.counts.kept += 1
            self._advance(len(shard.images))
        else:
            parts, metadata = self._encoded(shard)
            output.write(shard.name, parts, metadata | {"inputs": inputs})
        self.counts.samples += len(metadata["files"])
        if shard.name.startswith("validation-"):
            self.counts.validation += len(metadata["files"])
        self.counts.cut += metadata["n_cut"]
        self.counts.unreadable += len(shard.images) - len(metadata["files"])
        self.sizes = metadata["sizes"] and tuple(metadata["sizes"])

    def _encoded(self, shard: _Shard) -> tuple[dict[str, Tensor], dict[str, Any]]:
        batches: list[dict[str, Tensor]] = []
        kept: list[int] = []
        n_cut, size = 0, self._options.batch_samples
        for start in range(0, len(shard.images), size):
            rows = list(range(start, min(start + size, len(shard.images))))
            pixels = decode(
                Path(self._reading.path), [shard.images[r] for r in rows], self._reading
            )
            if faults := pixel_faults(pixels, self._reading):
                raise DataError(faults)
            rows = [r for r in rows if shard.images[r] not in pixels.unreadable]
            if rows:
                parts = {"image": self._autoencoder(torch.from_numpy(pixels.pixels))}
                if self._text_encoder is not None and shard.texts is not None:
                    texts = [shard.texts[r] for r in rows]
                    parts |= self._text_encoder(texts)
                    n_cut += self._text_encoder.n_cut(texts)
                batches.append(self._stored(parts, [shard.images[r] for r in rows]))
                kept += rows
            self._advance(min(size, len(shard.images) - start))
        if not batches:
            rule = "an image of a shard can be decoded"
            raise DataError([Fault(("IMAGES",), rule, first_few(shard.images), "remove these")])
        joined = {n: torch.cat([b[n] for b in batches]).contiguous() for n in batches[0]}
        joined["label"] = torch.tensor([shard.labels[r] for r in kept])
        sizes = None
        if "caption" in joined:
            sizes = [*joined["caption"].shape[1:], joined["pooled"].shape[1]]
        return joined, {
            "files": [shard.images[r] for r in kept],
            "captions": None if shard.texts is None else [shard.texts[r] for r in kept],
            "n_cut": n_cut,
            "sizes": sizes,
        }

    def _stored(self, parts: dict[str, Tensor], names: list[str]) -> dict[str, Tensor]:
        """Return parts in the format of the shards.

        Raises:
            DataError: a value that is not finite in it.
        """
        dtype = DTYPES[self._options.dtype]
        stored = {n: p if p.dtype == torch.bool else p.to(dtype) for n, p in parts.items()}
        for name, part in stored.items():
            bad = (~torch.isfinite(part)).flatten(1).any(dim=1)
            if bool(bad.any()):
                of = first_few([names[row] for row in bad.nonzero()[:, 0].tolist()])
                rule = f"`{name}` is finite in {self._options.dtype}"
                got = f"NaN or infinity for {of}"
                raise DataError([Fault(("--dtype",), rule, got, "take float32, or other weights")])
        return stored

    def _advance(self, n: int) -> None:
        self._done += n
        if self._progress is not None:
            self._progress(self._done, self.n)

    def lines(self, shards: list[_Shard], autoencoder: Autoencoder) -> list[str]:
        """Return what was written, as sentences."""
        counts = self.counts
        lines = [f"{len(shards)} shards in {self._options.out}, {counts.kept} were there already"]
        scale, shift = (_short(each) for each in (autoencoder.scale, autoencoder.shift))
        lines.append(f"latents are (latent - {shift}) · {scale}, as the autoencoder's config says")
        if counts.unreadable:
            lines.append(f"left out: {counts.unreadable} images that cannot be decoded")
        if self.sizes is not None:
            tokens, width, pooled = self.sizes
            lines.append(f"captions of {tokens} tokens × {width}, pooled {pooled}")
        elif shards[0].texts is not None:
            lines.append("captions are texts in the metadata: `--text-encoder` embeds them")
        if counts.cut:
            lines.append(f"{counts.cut} captions were cut at {self.sizes and self.sizes[0]} tokens")
        return lines


def _reading(options: Options, channels: int) -> ImagesConfig:
    given = {name: getattr(options.images, name) for name in _READ}
    if channels not in (1, 3):
        rule = "an autoencoder of images of 1 or 3 channels"
        raise DataError([Fault(("--vae",), rule, channels, "take another")])
    return ImagesConfig(channels=channels, resize=True, **given)  # type: ignore[arg-type]


_READ = ("path", "size", "aspect", "skip_unreadable", "splits", "captions", "caption_key")


def _shards(reading: ImagesConfig, size: int) -> tuple[list[_Shard], list[str], list[str]]:
    """Return the shards to write, the names of the classes, and what is left out."""
    files, found, captions = read_folder(reading)
    faults = captions.faults + captions.missing(found.names) + loose_faults(found)
    if faults:
        raise DataError(faults)
    classes = sorted(set(found.classes))
    texts = captions.of(found.names)
    is_validation = found.is_validation or [False] * len(found.names)
    shards = []
    for split, wanted in (("train", False), ("validation", True)):
        rows = [row for row, is_val in enumerate(is_validation) if is_val == wanted]
        total = -(-len(rows) // size)
        for number in range(total):
            of = rows[number * size : (number + 1) * size]
            shards.append(
                _Shard(
                    name=f"{split}-{number:05d}-of-{total:05d}.safetensors",
                    images=[found.names[row] for row in of],
                    labels=[classes.index(found.classes[row]) for row in of],
                    texts=None if texts is None else [texts[row] for row in of],
                )
            )
    lines = found.left_out + files.left_out(captions.used) + files.unread()
    return shards, classes, lines


def _recipe(
    options: Options,
    reading: ImagesConfig,
    autoencoder: Autoencoder,
    text_encoder: TextEncoder | None,
    classes: list[str],
) -> dict[str, Any]:
    """Return what the values in a shard depend on, beside its images and captions."""
    return {
        "rules": _RULES,
        "size": reading.size,
        "aspect": reading.aspect,
        "classes": classes,
        "vae": autoencoder.digest,
        "scale": autoencoder.scale,
        "shift": autoencoder.shift,
        "text_encoder": text_encoder and text_encoder.digest,
        "caption_length": text_encoder and text_encoder.length,
        "shard_samples": options.shard_samples,
        "batch_samples": options.batch_samples,
        "dtype": options.dtype,
        "device": options.device,
        "versions": {name: _version(name) for name in ("torch", "diffusers", "pillow")}
        | ({"transformers": _version("transformers")} if text_encoder else {}),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _inputs_digest(root: Path, shard: _Shard) -> str:
    """Return 64 hex digits of the names, contents, labels and captions of a shard's images."""
    sha = hashlib.sha256()
    for row, name in enumerate(shard.images):
        try:
            content = (root / name).read_bytes()
        except OSError:
            content = b""  # decoding it reports why
        text = "" if shard.texts is None else shard.texts[row]
        sha.update(repr((name, shard.labels[row], text, len(content))).encode())
        sha.update(content)
    return sha.hexdigest()


def _short(values: list[float]) -> str:
    shown = [f"{value:g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else f"[{', '.join(shown)}]"
