"""Data sources: digits, emoji, image folders, latents, and the user's own.

Public: `load`, `info`, `identity`, `attribution` and `is_present`, all of a source's configuration.
"""

from mutransfer.proxies.data.load import attribution, identity, info, is_present, load

__all__ = ["attribution", "identity", "info", "is_present", "load"]
