"""Data sources: digits, emoji, image folders, captioned images, latents, and a user's own.

Public: `load`, `info`, `identity`, `attribution` and `is_present` of any source's configuration.
"""

from mutransfer.proxies.data.load import attribution, identity, info, is_present, load

__all__ = ["attribution", "identity", "info", "is_present", "load"]
