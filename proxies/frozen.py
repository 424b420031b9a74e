"""A mapping that may stand in a configuration: plain JSON data that can be hashed."""

import json
from typing import Any


class Frozen(dict[str, Any]):
    """A dict of JSON data, hashed by its content; treat it as immutable."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(self, sort_keys=True, default=str))
