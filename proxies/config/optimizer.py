"""The options of a trial's optimizer, besides the base HPs."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, Lt

from mutransfer.proxies.fields import STRICT, NonNegative, Positive
from mutransfer.proxies.mup.optimizers import AdjustLR, Algorithm, Decay, OptimizerRule


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(OptimizerRule):
    """An optimizer: what acts through the plan (`mup.OptimizerRule`), and options of its own.

    Attributes:
        momentum: Of SGD (None: 0.9) and Muon (None: 0.95).
        nesterov: Of SGD (None: false) and Muon (None: true).
        adamw_lr: Under `muon`, the base LR of what trains with AdamW, held fixed; None: `lr`. To
            search it, give it among the HPs instead.
        adamw_weight_decay: Its base weight decay; None: `weight_decay`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    name: Algorithm = "adamw"
    adjust_lr_fn: AdjustLR = "match_rms_adamw"
    hidden_lr_power: Annotated[float, Ge(-2), Le(2)] | None = None
    decay: Decay = "coupled"
    decay_power: Annotated[float, Ge(-2), Le(2)] = 0.0
    momentum: Annotated[float, Ge(0), Lt(1)] | None = None
    nesterov: bool | None = None
    adamw_lr: Positive | None = None
    adamw_weight_decay: NonNegative | None = None


ADAMW = OptimizerConfig()
