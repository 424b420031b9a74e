"""Types of the configurations' fields: constrained numbers, and hashable JSON data."""

import json
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

Count = Annotated[int, Ge(1)]

Positive = Annotated[float, Gt(0)]

NonNegative = Annotated[float, Ge(0)]

# Excludes 0: a decay or a horizon of zero steps has no meaning.
Fraction = Annotated[float, Gt(0), Le(1)]

Beta = Annotated[float, Ge(0), Lt(1)]

# Pydantic's options for a configuration in a spec.
STRICT: dict[str, Any] = {"extra": "forbid", "allow_inf_nan": False}


class Frozen(dict[str, Any]):
    """A dict of JSON data that is hashed by its content; treat it as immutable."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(self, sort_keys=True, default=str))
