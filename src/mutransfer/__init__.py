"""Hyperparameter-transfer sweeps for diffusion Transformers.

    from mutransfer import load_best, mup

A production trainer needs these two names, and for them torch, numpy and a YAML reader. The rest
is in `mutransfer.proxies` (models, μP, training), `mutransfer.analysis` (pure functions of the
results table) and `mutransfer.sweep` (specs, trials, Ray Tune, the command line).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mutransfer.analysis.best import load_best
    from mutransfer.proxies import mup

__version__ = "0.1.0"
__all__ = ["__version__", "load_best", "mup"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, because importing torch takes seconds."""
    if name == "mup":
        from mutransfer.proxies import mup

        return mup
    if name == "load_best":
        from mutransfer.analysis.best import load_best

        return load_best
    raise AttributeError(f"module 'mutransfer' has no attribute {name!r}")
