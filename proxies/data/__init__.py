"""Data sources: digits, emoji, image folders, latents, and the user's own.

Public: `load`, `info`, `declared_info`, `identity`, `attribution`, `is_present` and
`look`, all of the configuration of a source.
"""

from mutransfer.proxies.data.load import (
    attribution,
    declared_info,
    identity,
    info,
    is_present,
    load,
)
from mutransfer.proxies.data.look import look

__all__ = ["attribution", "declared_info", "identity", "info", "is_present", "load", "look"]
