"""The constants by which the latents of well-known autoencoders get about unit variance.

A model sees `(latent - shift) · scale`. The numbers are those that diffusers stores in the
`config.json` of each autoencoder as `scaling_factor`, `shift_factor`, `latents_mean` and
`latents_std`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Autoencoder:
    """Channels of the latents of an autoencoder, and their scale and shift, by channel."""

    channels: int
    scale: tuple[float, ...]
    shift: tuple[float, ...]


def _uniform(channels: int, scale: float, shift: float = 0.0) -> Autoencoder:
    return Autoencoder(channels=channels, scale=(scale,) * channels, shift=(shift,) * channels)


AUTOENCODERS: dict[str, Autoencoder] = {
    "sd": _uniform(4, 0.18215),  # Stable Diffusion 1 and 2, sd-vae-ft-ema and -mse; DiT
    "sdxl": _uniform(4, 0.13025),  # also PixArt-Σ
    "sd3": _uniform(16, 1.5305, 0.0609),  # also 3.5
    "flux": _uniform(16, 0.3611, 0.1159),  # FLUX.1
    "dc-ae-sana": _uniform(32, 0.41407),  # DC-AE f32c32 of SANA
    "playground-v2.5": Autoencoder(
        channels=4,
        scale=tuple(0.5 / std for std in (8.4927, 5.9022, 6.5498, 5.2299)),
        shift=(-1.6574, 1.886, -1.383, 2.5155),
    ),
}
