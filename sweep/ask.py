"""One trial that is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from proxies.config import HPs, TrialConfig
from proxies.trial import identity
from sweep import space
from sweep.spec import HP_NAMES, Study

HPSet = Mapping[str, float]
cached_identity = lru_cache(maxsize=100_000)(identity)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One trial that is asked for, by which stage, and (in a search) by which generation."""

    config: TrialConfig
    asked_by: str
    generation: int | None = None
    trial_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trial_id", cached_identity(self.config))


def trial(study: Study, *, width: int, arm: str, hps: HPSet, seed: int) -> TrialConfig:
    """The configuration of one training run of the study."""
    integers = {n: int(v) for n, v in hps.items() if n in space.INTEGER_HPS}
    return TrialConfig(
        model=study.model,
        data=study.data,
        objective=study.objective,
        train=study.train,
        hps=HPs(**{**hps, **integers}),
        width=width,
        arm=arm,
        seed=seed,
        device=study.resources.device,
        threads=study.resources.threads,
    )


def hp_values(hps: HPs) -> dict[str, float | None]:
    """Every HP by name as the table holds it; None where it is off (no clipping)."""
    values = {name: getattr(hps, name) for name in HP_NAMES}
    return {name: None if value is None else float(value) for name, value in values.items()}


def complete(hps: HPSet) -> dict[str, float | None]:
    """``hps`` with the defaults of all HPs that it does not name."""
    return hp_values(HPs(**dict(hps)))


def unique(asks: Iterable[Ask]) -> list[Ask]:
    """The asks without repeats: the first stage that asked for a trial keeps it."""
    first: dict[str, Ask] = {}
    for ask in asks:
        first.setdefault(ask.trial_id, ask)
    return list(first.values())
