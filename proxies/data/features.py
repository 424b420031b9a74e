"""Features of a frozen encoder, with which REPA aligns those of a model (arXiv 2410.06940)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mutransfer.proxies.config.data import RANDOM_CONV, CaptionedConfig
from mutransfer.proxies.data.feed import digest
from mutransfer.proxies.errors import DataError, Fault
from mutransfer.proxies.files import cache
from mutransfer.proxies.files.embeddings import read_features
from mutransfer.proxies.rng import generator

_CHUNK = 256
_STEPS_PER_UNIT = 1024


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """Tokens of a frozen encoder, (n, N, F), and their fingerprint."""

    feature_KNF: Tensor
    fingerprint: str

    @property
    def shape(self) -> tuple[int, int]:
        """(N, F)."""
        return self.feature_KNF.shape[1], self.feature_KNF.shape[2]


def features(config: CaptionedConfig, images: Tensor, names: Sequence[str]) -> Features | None:
    """Return features of images (n, C, S, S) uint8, None if the configuration names none.

    Raises:
        DataError: a grid that does not divide the images, or a file that does not match.
    """
    if config.features is None:
        return None
    if config.features != RANDOM_CONV:
        tokens = read_features(config.features, names)
        return Features(feature_KNF=tokens, fingerprint=digest(tokens))
    side, dim, size = config.feature_side, config.feature_dim, images.shape[-1]
    if size % side:
        rule = f"feature_side divides the image side, {size}"
        remedy = "use size / patch_size of the model"
        raise DataError([Fault(("data", "feature_side"), rule, side, remedy)])
    # The recipe, not the values: the last bits of a convolution may differ between machines.
    recipe = digest(f"{RANDOM_CONV}, {side}, {dim}", images)
    arrays = cache.arrays(
        f"{RANDOM_CONV}-{recipe}",
        lambda: {"feature": random_conv(images, side=side, dim=dim).numpy()},
    )
    return Features(feature_KNF=torch.from_numpy(arrays["feature"]), fingerprint=recipe)


def random_conv(images: Tensor, *, side: int, dim: int) -> Tensor:
    """Return tokens (n, side², dim) of a seeded random convolutional network of two layers.

    Each channel is standardized over all tokens: a constant could align features with a common
    mean. Computed in float64 and rounded, so that they do not depend on the number of threads.
    """
    rng = generator(RANDOM_CONV)
    weights = [
        torch.randn(dim, channels, 3, 3, generator=rng, dtype=torch.float64) / channels**0.5
        for channels in (images.shape[1], dim)
    ]
    tokens = torch.cat([_tokens(weights, chunk, side) for chunk in images.split(_CHUNK)])
    std, mean = torch.std_mean(tokens, dim=(0, 1))
    standard = (tokens - mean) / std.clamp(min=1e-6)
    return (standard * _STEPS_PER_UNIT).round().div(_STEPS_PER_UNIT).float()


def _tokens(weights: list[Tensor], images: Tensor, side: int) -> Tensor:
    x = images.double() / 127.5 - 1
    for weight in weights:
        x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight))
    return F.adaptive_avg_pool2d(x, side).flatten(2).transpose(1, 2)
