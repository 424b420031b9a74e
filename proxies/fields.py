"""Types of the configurations' fields: constrained numbers, and hashable JSON data."""

import json
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

# Limits keep a slip of the pen from filling the memory before anything is said about it. A million
# is 50 times the widest layer published; the deepest Transformer published has 1,000 layers
# (arXiv 2203.00555); a longer training than 10^9 steps is not in sight.
MAX_COUNT, MAX_WIDTH, MAX_DEPTH = 10**9, 10**6, 4000

Count = Annotated[int, Ge(1), Le(MAX_COUNT)]

Width = Annotated[int, Ge(1), Le(MAX_WIDTH)]

Depth = Annotated[int, Ge(1), Le(MAX_DEPTH)]

Positive = Annotated[float, Gt(0)]

# Of one size of a model to another; published ones are 2 to 8.
Ratio = Annotated[float, Gt(0), Le(1000)]

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
