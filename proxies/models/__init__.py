"""Model families, each of any width: DiT, U-ViT, PixArt-α, MMDiT, and a user's own module.

Public: the four classes, and `build`, which returns the model of a configuration.
"""

from mutransfer.proxies.models.build import build
from mutransfer.proxies.models.dit import DiT
from mutransfer.proxies.models.mmdit import MMDiT
from mutransfer.proxies.models.pixart import PixArt
from mutransfer.proxies.models.uvit import UViT

__all__ = ["DiT", "MMDiT", "PixArt", "UViT", "build"]
