"""Training of one trial: its plan, its identity, its loop, and the results that come out.

Public: `plan`, `build`, `factors` and `betas` of a trial, its `identity`, and what that rests on.
"""

from mutransfer.proxies.training.identity import identity, resolve
from mutransfer.proxies.training.trial import betas, build, factors, plan

__all__ = ["betas", "build", "factors", "identity", "plan", "resolve"]
