"""The options of each source of data, and their defaults."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Lt

from proxies.limits import STRICT, Count


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The data set and how it is fed: `val_draws` (t, noise) pairs per validation image."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    source: Literal["digits"] = "digits"
    label_dropout: Annotated[float, Ge(0), Lt(1)] = 0.1
    val_draws: Count = 4
