"""The options of each source of data, and their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Lt

from mutransfer.proxies.fields import STRICT, Count, Frozen

Dropout = Annotated[float, Ge(0), Lt(1)]
Aspect = Literal["crop", "pad", "refuse"]
RANDOM_CONV = "random_conv"


@dataclass(frozen=True, kw_only=True)
class _FeedOptions:
    """Options of any data set; `val_draws`: number of (t, noise) pairs per validation image."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    # Names of the options that are paths; a spec takes them relative to its own folder.
    paths: ClassVar[tuple[str, ...]] = ()

    label_dropout: Dropout = 0.1
    val_draws: Count = 4


@dataclass(frozen=True, kw_only=True)
class DigitsConfig(_FeedOptions):
    """The 1,797 digits of scikit-learn, 8×8, ten classes."""

    source: Literal["digits"] = "digits"


@dataclass(frozen=True, kw_only=True)
class _CaptionOptions(_FeedOptions):
    """How captions become tokens, and what REPA aligns with; see `proxies.data.captions`.

    Attributes:
        caption_length: L, the largest number of words of a caption; a longer one is a fault.
        truncate: Truncate longer captions instead.
        embedding_dim: E, features of a word.
        embedding_seed: Seed of the random embedding.
        embeddings: A file of embeddings computed by the user, instead of the random ones; L and
            E are then the file's.
        caption_dropout: Share of captions replaced by the null caption in training. One draw a
            sample decides on label and caption: with equal shares, both are dropped together.
        features: What REPA aligns with: `random_conv`, a seeded random convolutional network
            (not a pretrained encoder: it detects edges and colours, not objects), or a file.
        feature_side: Tokens along a side of the random network's grid; REPA needs the model's,
            size / patch_size.
        feature_dim: F, channels of the random network.
    """

    caption_length: Count = 12
    truncate: bool = False
    embedding_dim: Count = 32
    embedding_seed: Annotated[int, Ge(0)] = 0
    embeddings: str | None = None
    caption_dropout: Dropout = 0.1
    features: str | None = None
    feature_side: Count = 8
    feature_dim: Count = 32


@dataclass(frozen=True, kw_only=True)
class OpenmojiConfig(_CaptionOptions):
    """OpenMoji's emoji of one code point, with their Unicode names as captions."""

    paths: ClassVar[tuple[str, ...]] = ("embeddings", "features")

    source: Literal["openmoji"] = "openmoji"
    size: Literal[16, 32] = 16


@dataclass(frozen=True, kw_only=True)
class ImagesConfig(_CaptionOptions):
    """A folder of images: sub-folders are classes, or splits with classes in them.

    Captions are in `metadata.jsonl`, `.csv` or `.parquet`, or in texts beside the images; see
    `proxies.files.metadata`.

    Attributes:
        path: The folder. A spec takes it relative to its own folder.
        size: Side of an image, in pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: Convert other modes and scale; without it an image of another size or mode is a
            fault.
        aspect: What `resize` does to an image that is no square: scale the shorter side to `size`
            and crop the middle, scale the longer one and pad with white, or refuse it.
        skip_unreadable: Leave out files that cannot be decoded; otherwise they are faults.
        splits: `auto`: sub-folders train, validation and test are splits; `none`: all are classes.
        captions: `auto`: read them where there are any; `none`: do not.
        caption_key: The column of the metadata that holds the caption.
    """

    paths: ClassVar[tuple[str, ...]] = ("path", "embeddings", "features")

    source: Literal["images"] = "images"
    path: str
    size: Count
    channels: Literal[1, 3] = 3
    resize: bool = False
    aspect: Aspect = "crop"
    skip_unreadable: bool = False
    splits: Literal["auto", "none"] = "auto"
    captions: Literal["auto", "none"] = "auto"
    caption_key: str = "text"


@dataclass(frozen=True, kw_only=True)
class LatentsConfig(_FeedOptions):
    """Precomputed latents and embeddings in safetensors shards, read as they are needed.

    Their content is declared, so that a study can be checked and planned on a machine without
    them; see `proxies.data.latents` for their layout.

    Attributes:
        path: The folder of the shards. A spec takes it relative to its own folder.
        format: How they are written; see `proxies.files.formats`.
        n_samples: Samples in all shards together.
        n_validation: How many of them are for validation; the same ones in all trials.
        validation: Which: `random` ones, or the `last` of the last shards.
        shape: (C, S, S) of a latent.
        n_classes: Number of labels.
        caption: (L, E) of the captions' embeddings; None where there are none.
        pooled: P, features of a whole caption; None where there are none.
        feature: (N, F) of a frozen encoder's features; None where there are none.
        caption_dropout: Share of captions replaced by the null caption in training.
        fingerprint: A name for the content, for data too large to hash; None: hash it.
        vae: A well-known autoencoder, whose `scale` and `shift` are applied; see
            `proxies.files.autoencoders`.
        scale: The model sees (latent - shift) · scale: one number, or one a channel.
        shift: See `scale`.
        first_label: The smallest label in the shards, 0 or 1.
        keys: Names of the tensors in the shards, by part, where they differ from the parts'.
    """

    paths: ClassVar[tuple[str, ...]] = ("path",)

    source: Literal["latents"] = "latents"
    path: str
    format: Literal["safetensors", "webdataset", "mds", "hf", "npy"] = "safetensors"
    n_samples: Count
    n_validation: Count
    validation: Literal["random", "last"] = "random"
    shape: tuple[Count, Count, Count]
    n_classes: Count
    caption: tuple[Count, Count] | None = None
    pooled: Count | None = None
    feature: tuple[Count, Count] | None = None
    caption_dropout: Dropout = 0.1
    fingerprint: str | None = None
    vae: str | None = None
    scale: float | tuple[float, ...] | None = None
    shift: float | tuple[float, ...] | None = None
    first_label: Literal[0, 1] = 0
    keys: Mapping[str, str] = field(default_factory=Frozen)

    def __post_init__(self) -> None:
        """Make the names hashable."""
        object.__setattr__(self, "keys", Frozen(self.keys))


def is_name(option: str, value: str) -> bool:
    """Return whether an option that may be a path is a name instead."""
    return option == "features" and value == RANDOM_CONV


@dataclass(frozen=True, kw_only=True)
class CustomDataConfig:
    """A user's own data; see `proxies.data.custom.UserData` for what `build(**args)` returns.

    Attributes:
        source: Always "custom".
        build: Function that returns the data, named as `package.module:function`.
        args: Its keyword arguments.
        val_draws: Passes over the validation set, each with other random numbers.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    paths: ClassVar[tuple[str, ...]] = ()

    source: Literal["custom"] = "custom"
    build: str
    args: Mapping[str, Any] = field(default_factory=Frozen)
    val_draws: Count = 1

    def __post_init__(self) -> None:
        """Make the arguments hashable."""
        object.__setattr__(self, "args", Frozen(self.args))


DataConfig = DigitsConfig | OpenmojiConfig | ImagesConfig | LatentsConfig | CustomDataConfig
CaptionedConfig = OpenmojiConfig | ImagesConfig
DATA_CONFIGS: dict[str, type[DataConfig]] = {
    "digits": DigitsConfig,
    "openmoji": OpenmojiConfig,
    "images": ImagesConfig,
    "latents": LatentsConfig,
    "custom": CustomDataConfig,
}
