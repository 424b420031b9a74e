"""Trial requests: one training run that the plan wants, its configuration and its identity."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pandas as pd

from mutransfer.proxies.config.model import CustomConfig
from mutransfer.proxies.config.scaling import Scaling
from mutransfer.proxies.config.trial import HPs, TrialConfig
from mutransfer.proxies.training.identity import identity
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study
from mutransfer.words import HP_NAMES, Arm, Stage

HPSet = Mapping[str, float]
cached_identity = lru_cache(maxsize=100_000)(identity)


@dataclass(frozen=True, kw_only=True)
class TrialRequest:
    """One requested trial, the stage that requests it and, in a search, the generation.

    Attributes:
        config: The configuration of the run.
        asked_by: The stage; named as the table's column.
        generation: The generation of the search, from 0; None in other stages.
        trial_id: The identity of ``config``.
    """

    config: TrialConfig
    asked_by: Stage
    generation: int | None = None
    trial_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trial_id", cached_identity(self.config))


def trial(study: Study, *, axis_value: int, arm: Arm, hps: HPSet, seed: int) -> TrialConfig:
    """The configuration of one training run of the study, at a value of its axis."""
    axis, rule = study.axis, study.transfer.rule
    model, train = study.model, study.train
    if axis == "depth":
        assert not isinstance(model, CustomConfig), "a rule of the spec refuses it"
        model = dataclasses.replace(model, depth=axis_value)
    elif axis == "steps":
        train = dataclasses.replace(train, steps=axis_value)
    elif axis == "batch_size":
        train = dataclasses.replace(train, batch_size=axis_value)
    return TrialConfig(
        model=model,
        data=study.data,
        objective=study.objective,
        train=train,
        hps=hps_of(hps),
        width=axis_value if axis == "width" else study.search.width,
        arm=arm,
        seed=seed,
        device=study.resources.device,
        threads=study.resources.threads,
        trainer=study.trial,
        scaling=None if rule is None else Scaling(rule=rule, base=study.search_at),
        code=study.code,
        recorded=study.recorded,
    )


def hps_of(values: HPSet) -> HPs:
    """``values`` as HPs, the integer HPs as integers."""
    typed: dict[str, Any] = {n: int(v) if n in space.INTEGER_HPS else v for n, v in values.items()}
    return HPs(**typed)


def hp_values(hps: HPs) -> dict[str, float | None]:
    """Every HP by name as the table stores it; None where it is off (no clipping)."""
    values = {name: getattr(hps, name) for name in HP_NAMES}
    return {name: None if value is None else float(value) for name, value in values.items()}


def complete(hps: HPSet) -> dict[str, float | None]:
    """``hps`` with the defaults of all HPs that it does not name."""
    return hp_values(hps_of(hps))


def unique(requests: Iterable[TrialRequest]) -> list[TrialRequest]:
    """The requests without repeats; the first stage that requests a trial keeps it."""
    first: dict[str, TrialRequest] = {}
    for request in requests:
        first.setdefault(request.trial_id, request)
    return list(first.values())


def outcomes(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Status and loss of these rows of the table, as decisions record what they rest on."""
    return [
        {"trial_id": r.trial_id, "status": r.status, "val_loss": number(r.val_loss)}
        for r in rows.sort_values("trial_id").itertuples()
    ]


def number(value: Any) -> float | None:
    """A cell of the table as a number; None where it is empty."""
    return None if pd.isna(value) else float(value)
