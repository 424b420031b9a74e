"""μP for any model, as plain data: roles, rule table, initialization, parameter groups, clipping.

    plan = mup.plan(build, base_width=64, width=1024)
    model = build(1024)
    mup.init_(model, plan)
    optimizer = mup.optimizer(model, plan, lr=2**-8, weight_decay=0.1)

Schedulers must multiply the `lr` of each group: `mup.scheduler` does, `mup.check_lrs(optimizer)`
raises where another did not. Public: the names in `__all__`. The rule table is
`rules.RULES`.
"""

from mutransfer.proxies.mup.groups import clip_grad_norm_, grad_norm, param_groups
from mutransfer.proxies.mup.init import init_
from mutransfer.proxies.mup.lrs import check_lrs, check_scheduler
from mutransfer.proxies.mup.modules import Readout, ResidualBlock
from mutransfer.proxies.mup.optimizers import OptimizerRule
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.plan import plan, table
from mutransfer.proxies.mup.schedule import lr_scale, scheduler
from mutransfer.proxies.mup.torch_optimizer import optimizer

__all__ = [
    "OptimizerRule",
    "PlanError",
    "Readout",
    "ResidualBlock",
    "check_lrs",
    "check_scheduler",
    "clip_grad_norm_",
    "grad_norm",
    "init_",
    "lr_scale",
    "optimizer",
    "param_groups",
    "plan",
    "scheduler",
    "table",
]
