"""The families by width: DiT, U-ViT, PixArt-α, MMDiT, and a user's own model.

Public: `build`, which makes the model that a configuration names.
"""

from mutransfer.proxies.models.build import build

__all__ = ["build"]
