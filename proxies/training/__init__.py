"""The training of one trial: plan, identity, loop, result, samples and cost.

Public: `plan`, `build`, `factors`, `betas`, `optimizer`, `resolve` and `identity`, functions of a
`TrialConfig`; `train.Training`, which runs one; `flops`, `record` and `samples`.
"""

from mutransfer.proxies.training.identity import identity, resolve
from mutransfer.proxies.training.trial import betas, build, factors, optimizer, plan

__all__ = ["betas", "build", "factors", "identity", "optimizer", "plan", "resolve"]
