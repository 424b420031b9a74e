"""A study: one entry of `studies:` as typed data, complete with defaults."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mutransfer.proxies.config import DataConfig, ObjectiveConfig, TrainConfig, TrainerConfig
from mutransfer.proxies.config.model import ModelConfig
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.proxies.config.trial import code_names, references
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.sections import (
    Assume,
    Convergence,
    CoordCheck,
    Limits,
    Logger,
    Method,
    Metric,
    Production,
    Resources,
    Search,
    Target,
    Transfer,
    search_at,
)
from mutransfer.words import StudyAxis


@dataclass(frozen=True, kw_only=True)
class Study:
    """One entry of `studies:`, complete with defaults.

    Attributes:
        loggers: Viewers that finished trials are written to; None: none.
        trial: The user's own trainer; None: ours.
        imports: Folders that the user's own code is imported from.
        code: The digest of the code that the user says theirs computes the same as; None: none.
        recorded: Of a study that a run directory holds, the facts to use instead of its data and
            its code; None: a study of the user's own spec.
    """

    name: str
    model: ModelConfig
    data: DataConfig
    objective: ObjectiveConfig
    train: TrainConfig
    metric: Metric
    method: Method
    parameters: Mapping[str, space.Distribution]
    search: Search
    transfer: Transfer
    target: Target
    resources: Resources
    coordcheck: CoordCheck
    seed: int
    production: Production | None = None
    convergence: Convergence | None = None
    assume: Assume | None = None
    limits: Limits | None = None
    loggers: tuple[Logger, ...] | None = None
    trial: TrainerConfig | None = None
    imports: tuple[str, ...] = ()
    code: str | None = None
    recorded: Recorded | None = None

    @property
    def control_parameters(self) -> tuple[str, ...]:
        """The HPs that are sliced under the control too."""
        if self.transfer.control == "none":
            return ()
        chosen = self.transfer.control_parameters
        return self.transfer.parameters if chosen is None else chosen

    @property
    def axis(self) -> StudyAxis:
        """The axis along which HPs are transferred."""
        return self.transfer.axis

    @property
    def search_at(self) -> int:
        """The axis value of the search, where base HPs are defined."""
        return search_at(self.axis, model=self.model, train=self.train, search=self.search)

    @property
    def target_at(self) -> int:
        """The axis value of the target, where the transfer is checked."""
        axis_value: int = getattr(self.target, self.axis)
        return axis_value

    @property
    def axis_values(self) -> tuple[int, ...]:
        """Every axis value at which trials are requested, ascending."""
        return tuple(sorted({*self.transfer.axis_values, self.search_at, self.target_at}))

    @property
    def references(self) -> tuple[str, ...]:
        """The user's own functions, as `package.module:function`."""
        return references(self.model, self.data, self.trial)

    @property
    def code_names(self) -> tuple[str, ...]:
        """The user's own functions, and the command of their trainer."""
        return code_names(self.model, self.data, self.trial)

    def limits_log2(self, hp: str) -> tuple[float, float]:
        """log2 of the hard limits of ``hp``; infinite where none is declared."""
        distribution = self.parameters[hp]
        low = getattr(distribution, "hard_min", None)
        high = getattr(distribution, "hard_max", None)
        return (math.log2(low) if low else -math.inf, math.log2(high) if high else math.inf)

    def resolved(self) -> dict[str, Any]:
        """The study as plain data that JSON can hold, defaults included."""
        plain = dataclasses.asdict(dataclasses.replace(self, parameters={}, recorded=None))
        del plain["recorded"], plain["code"]  # they follow from the rest, the data and the code
        plain["parameters"] = {
            name: {"distribution": space.kind_of(distribution), **dataclasses.asdict(distribution)}
            for name, distribution in self.parameters.items()
        }
        return json.loads(json.dumps(plain))
