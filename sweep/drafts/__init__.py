"""The user's own data: latents of images, and drafts of a spec for data or a module.

Public: `encode` and `init`, the commands.
"""

from mutransfer.sweep.drafts.encode import encode
from mutransfer.sweep.drafts.init import init

__all__ = ["encode", "init"]
