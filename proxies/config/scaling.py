"""The options of a rule that carries base HPs along batch size, steps or depth."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from mutransfer.proxies.fields import STRICT, Count
from mutransfer.proxies.mup.scaling import AXIS_OF, RuleKind
from mutransfer.words import StudyAxis


@dataclass(frozen=True, kw_only=True)
class ScalingRule:
    """A rule of `mup.scaling`: `alpha` is for `completep`, `scale_betas` for `sqrt_batch`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    kind: RuleKind
    alpha: Annotated[float, Ge(0.5), Le(1)] = 1.0
    scale_betas: bool = False

    @property
    def axis(self) -> StudyAxis:
        """The axis that the rule is for."""
        return AXIS_OF[self.kind]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """A rule, and `base`, the value on its axis that base HPs are given for."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    rule: ScalingRule
    base: Count
