"""The command `encode`: latents and embeddings of a folder of images."""

from pathlib import Path
from typing import Annotated, cast, get_args

import torch
import typer

from mutransfer.proxies import data, encoding
from mutransfer.proxies.config.data import Aspect, ImagesConfig
from mutransfer.proxies.encoding.encode import DTYPES
from mutransfer.sweep.commands.live import data_bar
from mutransfer.sweep.commands.options import err, out, say, warn
from mutransfer.sweep.errors import UserError

ImagesArg = Annotated[Path, typer.Argument(metavar="IMAGES", help="A folder of images.")]
VaeOpt = Annotated[
    str, typer.Option("--vae", help="An AutoencoderKL of diffusers: a folder, or ORG/NAME.")
]
OutOpt = Annotated[Path, typer.Option("--out", help="The folder to write shards into.")]
SizeOpt = Annotated[int, typer.Option("--size", min=1, help="Pixels along a side.")]
TextEncoderOpt = Annotated[
    str | None, typer.Option("--text-encoder", help="CLIP's or T5's text encoder, likewise.")
]
TokenizerOpt = Annotated[
    str | None, typer.Option("--tokenizer", help="Its tokenizer, if that is elsewhere.")
]
LengthOpt = Annotated[
    int | None, typer.Option("--caption-length", help="Tokens of a caption; at most 77 if not.")
]
AspectOpt = Annotated[str, typer.Option("--aspect", help="crop, pad or refuse.")]
SplitsOpt = Annotated[
    bool, typer.Option("--splits/--no-splits", help="Folders train and val are splits.")
]
KeyOpt = Annotated[
    str, typer.Option("--caption-key", help="The column of metadata with the caption.")
]
SkipOpt = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be decoded.")
]
ShardOpt = Annotated[int, typer.Option("--shard-samples", min=1, help="Images of a shard.")]
BatchOpt = Annotated[int, typer.Option("--batch-samples", min=1, help="Images encoded at once.")]
DtypeOpt = Annotated[str, typer.Option("--dtype", help=" or ".join(DTYPES))]
DeviceOpt = Annotated[
    str | None, typer.Option("--device", help="cpu or cuda; a GPU if there is one.")
]


def encode(
    images: ImagesArg,
    vae: VaeOpt,
    out_path: OutOpt,
    size: SizeOpt = 256,
    text_encoder: TextEncoderOpt = None,
    tokenizer: TokenizerOpt = None,
    caption_length: LengthOpt = None,
    aspect: AspectOpt = "crop",
    splits: SplitsOpt = True,
    caption_key: KeyOpt = "text",
    skip_unreadable: SkipOpt = False,
    shard_samples: ShardOpt = encoding.Options.shard_samples,
    batch_samples: BatchOpt = encoding.Options.batch_samples,
    dtype: DtypeOpt = encoding.Options.dtype,
    device: DeviceOpt = None,
) -> None:
    """Write latents of images, and embeddings of their captions, for `source: latents`.

    Stopped at any moment, it goes on when it is typed again. Needs the extra `encode`.

    Example: [dim]mutransfer encode photos --vae stabilityai/sd-vae-ft-mse --out shards[/dim]
    """
    for name, given, known in (("--dtype", dtype, DTYPES), ("--aspect", aspect, get_args(Aspect))):
        if given not in known:
            raise UserError(f"{name}: {', '.join(known)}; got {given!r}; name one of them")
    options = encoding.Options(
        images=ImagesConfig(
            path=str(images),
            size=size,
            aspect=cast(Aspect, aspect),
            skip_unreadable=skip_unreadable,
            splits="auto" if splits else "none",
            caption_key=caption_key,
        ),
        vae=vae,
        out=out_path,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        caption_length=caption_length,
        shard_samples=shard_samples,
        batch_samples=batch_samples,
        dtype=dtype,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
    _encode(options)


def _encode(options: encoding.Options) -> None:
    """Encode, look at what was written, and print it."""
    with data_bar(err, f"{options.images.path}: encoding") as advance:
        encoded = encoding.encode(options, advance)
    for line in encoded.lines:
        say(line)
    found = data.look(encoded.config)
    for line in found.lines:
        say(line)
    for warning in found.warnings:
        warn(f"warning: {warning}")
    out.print(f"next: mutransfer init --latents {options.out}", soft_wrap=True)
