"""Drafts of a spec for the user's own data or module: what `mutransfer init` writes.

Public: `init`, the command.
"""

from mutransfer.sweep.drafts.init import init

__all__ = ["init"]
