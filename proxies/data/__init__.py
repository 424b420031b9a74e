"""Data sources: digits, emoji, image folders, latents, and the user's own.

Public: `load`, `info`, `declared_info`, `identity`, `attribution` and `is_present`, all of the
configuration of a source.
"""

from mutransfer.proxies.data.load import (
    attribution,
    declared_info,
    identity,
    info,
    is_present,
    load,
)

__all__ = ["attribution", "declared_info", "identity", "info", "is_present", "load"]
