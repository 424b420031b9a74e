"""An autoencoder of diffusers that makes latents of about unit variance."""

from typing import Any

import torch
from torch import Tensor

from mutransfer.proxies.encoding.pretrained import (
    imported,
    located,
    pretrained,
    read,
    weights_digest,
)
from mutransfer.proxies.errors import DataError, Fault

_OPTION = "--vae"


class Autoencoder:
    """An `AutoencoderKL`.

    Attributes:
        image_channels: Channels of an image, 1 or 3.
        factor: Pixels along a side for one of the latent.
        scale: By channel, as its config.json has it; latents are `(latent - shift) · scale`.
        shift: See `scale`.
    """

    def __init__(self, where: str, device: str = "cpu") -> None:
        """Load one from a folder or by its name.

        Raises:
            DataError: none there, one of another kind, or one that cannot be read.
        """
        kind = imported(_OPTION, "diffusers", _kind)
        place = located(_OPTION, where)
        config = read(_OPTION, where, lambda: kind.load_config(**place))
        if config.get("_class_name") != "AutoencoderKL":
            rule = "an AutoencoderKL of diffusers"
            got = f"{where}: {config.get('_class_name', 'another config.json')}"
            raise DataError([Fault((_OPTION,), rule, got, "name the folder `vae` of a pipeline")])
        self._model: Any = pretrained(_OPTION, where, kind, low_cpu_mem_usage=False).to(device)
        self._device = device
        self.image_channels = int(self._model.config.in_channels)
        self.factor = 2 ** (len(self._model.config.block_out_channels) - 1)
        self.scale, self.shift = constants(self._model.config)
        self.digest = weights_digest(self._model)

    def shape(self, size: int) -> tuple[int, int, int]:
        """Return (C, S, S) of the latents of images of a size.

        Raises:
            DataError: a size that is no multiple of the factor.
        """
        if size % self.factor:
            rule = f"a multiple of {self.factor}, the pixels of one latent of this autoencoder"
            remedy = f"take {size // self.factor * self.factor or self.factor}"
            raise DataError([Fault(("--size",), rule, size, remedy)])
        return len(self.scale), size // self.factor, size // self.factor

    def __call__(self, images: Tensor) -> Tensor:
        """Return the latents of (n, C, S, S) uint8 images, float32 on the CPU.

        They are the means of the posterior: no noise is drawn.
        """
        pixels = images.to(self._device).float() / 127.5 - 1
        flags = torch.backends.cudnn.flags(deterministic=True, benchmark=False)
        with torch.inference_mode(), flags:
            latent = self._model.encode(pixels).latent_dist.mode().float().cpu()
        scale, shift = (torch.tensor(each).view(-1, 1, 1) for each in (self.scale, self.shift))
        return (latent - shift) * scale


def constants(config: Any) -> tuple[list[float], list[float]]:
    """Return scale and shift of each channel, as a config of diffusers has them."""
    n = int(config.latent_channels)
    factor = config.scaling_factor or 1.0
    std = config.latents_std or [1.0] * n
    mean = config.latents_mean or [config.shift_factor or 0.0] * n
    return [factor / float(s) for s in std], [float(m) for m in mean]


def _kind() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL
